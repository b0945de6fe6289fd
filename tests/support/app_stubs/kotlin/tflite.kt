package org.tensorflow.lite

// AutoCloseable in truth, whose `use` Debian's compiler has only in a jar beside it.
class Interpreter(val file: java.io.File) : java.io.Closeable {
    fun runSignature(
        inputs: Map<String, Any>,
        outputs: Map<String, Any>,
        signature: String
    ) {
        val told = inputs.map { it.key + "=" + (it.value as IntArray).joinToString(" ") }
        println(file.name + " " + signature + " " + told + " " + outputs.keys)
        @Suppress("UNCHECKED_CAST")
        (outputs.getValue("x") as Array<Array<Array<FloatArray>>>)[0][7][7][0] = 0.5f
    }
    override fun close() { println("closed " + file.name) }
}
