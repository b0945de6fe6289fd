// $file in an iOS app: samples of a seed, and latents decoded. Written by tfvae $version.
// x is $event_words. README.md in this folder says how to build it in.
${imports}import Foundation
import TensorFlowLite

/// The model on the CPU. Keep one, and call it from one thread at a time.
public final class $name {
  /// How many x a call gives.
  public static let batch = $batch

  /// Values in one x, of the shape $event_shape.
  public static let event = $event_size

  /// Random numbers of one sample.
  public static let latents = $latents

  /// The outputs of every signature.
  public static let outputs: [String: [String]] = [
    $outputs
  ]

  private let interpreter: Interpreter
  private var runners: [String: SignatureRunner] = [:]

  /// Loads the file at a path.
  public init(path: String) throws {
    interpreter = try Interpreter(modelPath: path)
  }

  /// Loads $file from the resources of a bundle.
  public convenience init(bundle: Bundle = .main) throws {
    guard let path = bundle.path(forResource: "$stem", ofType: "tflite") else {
      throw CocoaError(.fileNoSuchFile)
    }
    try self.init(path: path)
  }

  /// Samples `index` ... `index + batch - 1` of a seed, the same on every device.
  ///
  /// Returns batch * event values, one x after the other, each row by row.
  public func sample(seed: Int32, index: Int32$y_parameter) throws -> [Float32] {
    let end = (Int64(index) + Int64(Self.batch)) * Int64(Self.latents)
    precondition(index >= 0 && end <= 1 << 32, "index from 0, within the stream of the seed")
${y_check}    let inputs = ["seed": Self.bytes([seed]), "index": Self.bytes([index])$y_input]
    return try run("sample", inputs)["x"]!
  }

  /// The mean of p(x given z) at `batch` latents: batch * event values.
  public func decode($z_parameters$y_parameter) throws -> [Float32] {
${z_check}${y_check}    return try run("decode", [$z_inputs$y_input])["x"]!
  }

  /// Runs any signature: inputs by name, as `bytes` makes them, to outputs by name.
  public func run(_ signature: String, _ inputs: [String: Data]) throws -> [String: [Float32]] {
    let runner = try runners[signature] ?? interpreter.signatureRunner(with: signature)
    runners[signature] = runner
    try runner.invoke(with: inputs)

    var found: [String: [Float32]] = [:]
    for port in Self.outputs[signature] ?? [] {
      let data = try runner.output(named: port).data
      var values = [Float32](repeating: 0, count: data.count / MemoryLayout<Float32>.stride)
      _ = values.withUnsafeMutableBytes { data.copyBytes(to: $$0) }
      found[port] = values
    }
    return found
  }

  /// The bytes of Int32 or Float32 values, for `run`.
  public static func bytes<T>(_ values: [T]) -> Data {
    values.withUnsafeBytes { Data($$0) }
  }
$picture}
