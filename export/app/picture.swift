
  /// Picture `row` of the x that a call gave, `$width` by `$height` pixels.
  public static func image(_ x: [Float32], row: Int = 0) -> CGImage? {
    guard let provider = CGDataProvider(data: Data(colors(x, row: row)) as CFData) else { return nil }
    return CGImage(
      width: $width, height: $height, bitsPerComponent: 8, bitsPerPixel: 32, bytesPerRow: 4 * $width,
      space: CGColorSpaceCreateDeviceRGB(),
      bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.noneSkipLast.rawValue),
      provider: provider, decode: nil, shouldInterpolate: false, intent: .defaultIntent)
  }

  /// The same as bytes R, G, B, 255 of each pixel, row by row.
  public static func colors(_ x: [Float32], row: Int = 0) -> [UInt8] {
    let low: Float32 = $low
    let high: Float32 = $high
    let scale = 255 / max(high - low, 1e-12)
    var found = [UInt8](repeating: 255, count: 4 * $width * $height)
    for pixel in 0..<($width * $height) {
      let first = (row * $width * $height + pixel) * $channels
      for c in 0..<3 {
        let value = (x[first + c % $channels] - low) * scale
        found[4 * pixel + c] = UInt8(min(max(value, 0), 255).rounded())
      }
    }
    return found
  }
