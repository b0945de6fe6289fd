"""Mistakes in the data sets and their readers."""

from tests.mutation.mutant import Mutant

MUTANTS = [
    Mutant(
        name="split-overlaps",
        path="tfvae/datasets/dataset.py",
        old="order[:held_out], order[held_out:]",
        new="order[:held_out], order",
        note="Held-out examples are among those to train on.",
        row="held-out examples are trained on",
    ),
    Mutant(
        name="split-not-random",
        path="tfvae/datasets/dataset.py",
        old="np.random.default_rng(_SPLIT_SEED).permutation(count)",
        new="np.arange(count)",
        note="The first sixth is held out and not a random one.",
    ),
    Mutant(
        name="split-labels-not-permuted",
        path="tfvae/datasets/dataset.py",
        old="x[test], y[train], y[test], note, classes, True)",
        new="x[test], y[: len(train)], y[len(train) :], note, classes)",
        note="Labels stay in the file's order while examples are permuted.",
    ),
    Mutant(
        name="split-holds-out-a-fifth",
        path="tfvae/datasets/dataset.py",
        old="_HELD_OUT = 6",
        new="_HELD_OUT = 5",
        note="A fifth is held out where a sixth is promised.",
    ),
    Mutant(
        name="fashion-is-mnist",
        path="tfvae/datasets/named.py",
        old='"fashion_mnist": _idx_images("fashion_mnist")',
        new='"fashion_mnist": _idx_images("mnist")',
        note="fashion_mnist loads MNIST.",
    ),
    Mutant(
        name="validation-rows-as-test",
        path="tfvae/datasets/named.py",
        old=(
            "        np.asarray(parts[k], np.float32).reshape(-1, 28, 28, 1) "
            'for k in ("train", "test")\n'
        ),
        new=(
            "        np.asarray(parts[k], np.float32).reshape(-1, 28, 28, 1) "
            'for k in ("train", "valid")\n'
        ),
        note="The validation rows of binarized MNIST are held out.",
    ),
    Mutant(
        name="environment-before-argument",
        path="tfvae/datasets/named.py",
        old='data_dir or os.environ.get("TFVAE_DATA")',
        new='os.environ.get("TFVAE_DATA") or data_dir',
        note="$TFVAE_DATA wins over data_dir.",
    ),
    Mutant(
        name="binarize-seed-ignored",
        path="tfvae/datasets/binary.py",
        old="np.random.default_rng(seed)",
        new="np.random.default_rng(BINARIZATION_SEED)",
        note="binarize draws the same for every seed.",
    ),
    Mutant(
        name="fixed-draw-by-place",
        path="tfvae/datasets/binary.py",
        old='[seed, *np.frombuffer(digest, "<u4")]',
        new="[seed]",
        note="Every example has the same uniforms, whatever its values.",
        about="binarize_examples|place|content",
    ),
    Mutant(
        name="zeros-are-grey",
        path="tfvae/datasets/binary.py",
        old="(x > 0) & (x < 1)",
        new="(x >= 0) & (x < 1)",
        note="Binary data count as grey.",
    ),
    Mutant(
        name="parts-swapped",
        path="tfvae/datasets/arrays.py",
        old="Dataset(str(path), x_train, x_test, y_train, y_test, note)",
        new="Dataset(str(path), x_test, x_train, y_test, y_train, note)",
        note="The test array of a .npz is trained on.",
    ),
    Mutant(
        name="binary-bytes-divided",
        path="tfvae/datasets/arrays.py",
        old="x.dtype == np.uint8 and x.size and x.max() > 1",
        new="x.dtype == np.uint8 and x.size",
        note="Zeros and ones stored as bytes are divided by 255.",
    ),
    Mutant(
        name="full-batch-refused",
        path="tfvae/datasets/dataset.py",
        old="count < batch_size",
        new="count <= batch_size",
        note="Data of exactly one batch are refused.",
    ),
    Mutant(
        name="labels-of-parts-swapped",
        path="tfvae/datasets/dataset.py",
        old="((self.x_train, self.y_train), (self.x_test, self.y_test))",
        new="((self.x_train, self.y_test), (self.x_test, self.y_train))",
        note="Unpacking pairs examples with the other part's labels.",
    ),
    Mutant(
        name="capital-suffixes-skipped",
        path="tfvae/datasets/pictures.py",
        old="f.suffix.lower() in IMAGE_SUFFIXES",
        new="f.suffix in IMAGE_SUFFIXES",
        note="Files named .PNG are passed over.",
    ),
    Mutant(
        name="subfolders-skipped",
        path="tfvae/datasets/pictures.py",
        old=".rglob(",
        new=".glob(",
        note="Images in folders of a folder are passed over.",
    ),
    Mutant(
        name="bytes-divided-by-256",
        path="tfvae/datasets/readers.py",
        old="np.float32(255)",
        new="np.float32(256)",
        note="White is not 1.",
    ),
    Mutant(
        name="pickles-accepted",
        path="tfvae/datasets/readers.py",
        old="with np.load(path, allow_pickle=False)",
        new="with np.load(path, allow_pickle=True)",
        note="A .npz with pickled objects is loaded.",
    ),
    Mutant(
        name="idx-wrong-byte-order",
        path="tfvae/datasets/readers.py",
        old='(11, ">i2")',
        new='(11, "<i2")',
        note="16-bit IDX files are read with the bytes exchanged.",
    ),
    Mutant(
        name="pictures-not-turned",
        path="tfvae/datasets/pictures.py",
        old="    image = ImageOps.exif_transpose(image)\n",
        new="",
        note="A picture lies as the camera's sensor did.",
    ),
    Mutant(
        name="transparent-is-black",
        path="tfvae/datasets/pictures.py",
        old='Image.new("RGBA", image.size, "white")',
        new='Image.new("RGBA", image.size, "black")',
        note="What is transparent becomes black.",
    ),
    Mutant(
        name="depth-16-divided-by-255",
        path="tfvae/datasets/pictures.py",
        old="white = 65_535 if of_16_bits else 1",
        new="white = 65_536 if of_16_bits else 1",
        note="White of 16 bits is not 1.",
    ),
    Mutant(
        name="sizes-exchanged",
        path="tfvae/datasets/pictures.py",
        old="make(image, size[::-1],",
        new="make(image, size,",
        note="Height and width are exchanged where pictures are resized.",
    ),
    Mutant(
        name="labels-of-the-deepest-folder",
        path="tfvae/datasets/pictures.py",
        old="names = [file.relative_to(folder).parts[0] for file in files]",
        new="names = [file.parent.name for file in files]",
        note="The label is the name of the innermost folder.",
    ),
]
