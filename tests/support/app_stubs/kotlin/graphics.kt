package android.graphics
class Bitmap(val colors: IntArray, val width: Int, val height: Int) {
    enum class Config { ARGB_8888 }
    companion object {
        fun createBitmap(colors: IntArray, width: Int, height: Int, config: Config): Bitmap {
            require(config == Config.ARGB_8888)
            return Bitmap(colors, width, height)
        }
    }
}
