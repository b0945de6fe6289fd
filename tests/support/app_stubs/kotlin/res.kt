package android.content.res
class AssetManager
