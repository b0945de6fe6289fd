
        /** Picture `row` of the x that a call gave, `$width` by `$height` pixels. */
        fun bitmap(x: FloatArray, row: Int = 0): Bitmap =
            Bitmap.createBitmap(colors(x, row), $width, $height, Bitmap.Config.ARGB_8888)

        /** The same as ARGB integers, row by row. */
        fun colors(x: FloatArray, row: Int = 0): IntArray {
            val low = $low
            val scale = 255f / maxOf($high - low, 1e-12f)
            return IntArray($width * $height) { pixel ->
                val first = (row * $width * $height + pixel) * $channels
                (0 until 3).fold(255) { color, c ->
                    val value = (x[first + c % $channels] - low) * scale
                    (color shl 8) or value.coerceIn(0f, 255f).roundToInt()
                }
            }
        }
