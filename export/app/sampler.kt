// $file in an Android app: samples of a seed, and latents decoded. Written by tfvae $version.
// x is $event_words. README.md in this folder says how to build it in.
package tfvae

import android.content.Context
${imports}import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer

/** The model on the CPU. Keep one, close it at the end, and call it from one thread at a time. */
class $name(context: Context, asset: String = "$file") : AutoCloseable {
    private val model = CompiledModel.create(context.assets, asset, CompiledModel.Options(Accelerator.CPU))

    /**
     * Samples `index` ... `index + BATCH - 1` of a seed, the same on every device.
     *
     * Returns BATCH * EVENT values, one x after the other, each row by row.
     */
    fun sample(seed: Int, index: Int$y_parameter): FloatArray {
        val end = (index.toLong() + BATCH) * LATENTS
        require(index >= 0 && end <= 1L shl 32) { "index from 0, within the stream of the seed, not " + index }
${y_check}        return run("sample", mapOf("seed" to intArrayOf(seed), "index" to intArrayOf(index)$y_input)).getValue("x")
    }

    /** The mean of p(x given z) at BATCH latents: BATCH * EVENT values. */
    fun decode($z_parameters$y_parameter): FloatArray {
${z_check}${y_check}        return run("decode", mapOf($z_inputs$y_input)).getValue("x")
    }

    /** Runs any signature: inputs by name, each an IntArray or a FloatArray, to outputs by name. */
    fun run(signature: String, inputs: Map<String, Any>): Map<String, FloatArray> {
        val ports = requireNotNull(OUTPUTS[signature]) { "none of " + OUTPUTS.keys + ": " + signature }
        val given = inputs.mapValues { (port, values) -> filled(model.createInputBuffer(port, signature), values) }
        val wanted = ports.associateWith { model.createOutputBuffer(it, signature) }
        try {
            model.run(given, wanted, signature)
            return wanted.mapValues { it.value.readFloat() }
        } finally {
            (given.values + wanted.values).forEach { it.close() }
        }
    }

    override fun close() = model.close()

    private fun filled(buffer: TensorBuffer, values: Any): TensorBuffer {
        if (values is IntArray) buffer.writeInt(values) else buffer.writeFloat(values as FloatArray)
        return buffer
    }

    companion object {
        /** How many x a call gives. */
        const val BATCH = $batch

        /** Values in one x, of the shape $event_shape. */
        const val EVENT = $event_size

        /** Random numbers of one sample. */
        const val LATENTS = $latents

        /** The outputs of every signature. */
        val OUTPUTS: Map<String, List<String>> = mapOf(
            $outputs
        )
$picture    }
}
