// What the Kotlin uses of LiteRT, with the signatures of LiteRT's sources.
package com.google.ai.edge.litert
enum class Accelerator { CPU, GPU }
class TensorBuffer : AutoCloseable {
    var told = ""
    fun writeInt(data: IntArray) { told = data.joinToString(" ") }
    fun writeFloat(data: FloatArray) { told = data.joinToString(" ") }
    fun readFloat(): FloatArray = floatArrayOf(0f, 0.5f, 1f, 2f)
    override fun close() { told = "closed" }
}
class CompiledModel(val asset: String) : AutoCloseable {
    class Options(vararg val accelerators: Accelerator)
    fun createInputBuffer(inputName: String, signature: String = "") = TensorBuffer()
    fun createOutputBuffer(outputName: String, signature: String = "") = TensorBuffer()
    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String = ""
    ) {
        println(signature + " " + inputs.map { it.key + "=" + it.value.told } + " " + outputs.keys)
    }
    override fun close() { println("closed " + asset) }
    companion object {
        fun create(
            assets: android.content.res.AssetManager,
            name: String,
            options: Options
        ): CompiledModel {
            require(options.accelerators.toList() == listOf(Accelerator.CPU))
            require(assets.toString() != "")
            return CompiledModel(name)
        }
    }
}
