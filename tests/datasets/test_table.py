"""Tables: the kind of each column, and the way to arrays and back."""

import warnings

import numpy as np
import pandas as pd
import pytest

import tfvae
from tests.conftest import matches
from tests.support.own_data import people
from tfvae import datasets
from tfvae.datasets import Table, column_kinds, read_table
from tfvae.errors import InputError, InputTypeError

RNG = np.random.default_rng(0)
N = 400
COLUMNS = {
    "real": ("real", RNG.normal(5, 2, N)),
    "negative": ("real", -np.exp(RNG.normal(0, 2, N))),
    "wide": ("real", RNG.integers(1000, 9000, N)),
    "ages": ("real", RNG.integers(18, 90, N)),
    "positive": ("positive", np.exp(RNG.normal(0, 2, N))),
    "symmetric": ("real", RNG.normal(50, 2, N)),
    "zero_one": ("binary", RNG.integers(0, 2, N)),
    "five_seven": ("binary", RNG.choice([5, 7], N)),
    "bool": ("binary", RNG.random(N) < 0.5),
    "yes_no": ("binary", RNG.choice(["yes", "no"], N)),
    "stars": ("category", RNG.integers(1, 6, N)),
    "texts": ("category", RNG.choice(["a", "b", "c"], N)),
    "pandas": ("category", pd.Categorical(RNG.choice(["a", "b", "c"], N))),
    "visits": ("count", RNG.negative_binomial(1, 0.1, N)),
    "huge_counts": ("real", np.r_[9, 0, RNG.negative_binomial(1, 0.0001, N - 2)]),
    "few_texts": ("category", RNG.choice([f"t{i}" for i in range(150)], N)),
    "constant": ("real", np.full(N, 3.5)),
    "integers_of_pandas": ("count", pd.array(RNG.negative_binomial(1, 0.1, N), "Int64")),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("missing", [False, True])
def test_a_column_is_of_the_kind_of_its_values_and_comes_back(name, missing):
    kind, values = COLUMNS[name]
    frame = pd.DataFrame({"c": values})
    if missing:
        frame = frame.astype(object) if frame.c.dtype == bool else frame
        frame.loc[::7, "c"] = None
    table = datasets.Table.of(frame)
    (column,) = table.columns
    assert (column.kind, column.missing) == (kind, missing) and column.reason
    x = table.to_array(frame)
    assert x.shape == (N, column.width) and x.dtype == np.float32
    assert (np.isnan(x).all(axis=1) == frame.c.isna()).all()

    back = table.to_frame(x).c
    assert (back.isna() == frame.c.isna()).all()
    for found, expected in zip(back.dropna(), frame.c.dropna()):
        assert found == (expected if isinstance(expected, str) else pytest.approx(expected))


def test_what_a_table_keeps_comes_back_from_json():
    import json

    table = datasets.Table.of(people(300))
    assert datasets.Table.from_dict(json.loads(json.dumps(table.to_dict()))) == table


def test_means_and_shares_are_those_of_the_rows_asked_for():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 1e6] * 5, "b": ["x", "x", "x", "y"] * 5})
    rows = [i for i in range(20) if i % 4 != 3]
    a, b = datasets.Table.of(frame, {"a": "real", "b": "category"}, measured_on=rows).columns
    assert a.offset == pytest.approx(2.0) and a.unit == pytest.approx(np.std([1, 2, 3]))
    assert b.labels == ("x", "y") and b.typical == (1.0, 0.0)


def test_a_column_that_numbers_the_rows_is_left_out_and_said_so(tmp_path):
    frame = pd.DataFrame({"a": RNG.normal(size=50), "id": np.arange(100, 150)})
    frame.to_csv(tmp_path / "t.csv")  # with the index as a first column
    found = datasets.load(tmp_path / "t.csv")
    assert [column.name for column in found.table.columns] == ["a"]
    assert "Unnamed: 0 left out, it numbers the rows; id left out" in found.note
    assert datasets.load(tmp_path / "t.csv", kinds={"id": "real"}).table.columns[1].name == "id"


def test_a_file_of_another_encoding_is_told_to_be_utf8(tmp_path):
    (tmp_path / "t.csv").write_bytes("name,age\nJosé,3\n".encode("latin1"))
    with pytest.raises(InputError, match="save it as UTF-8"):
        datasets.load(tmp_path / "t.csv")


def test_rows_are_kept_within_the_ends_of_the_table():
    frame = pd.DataFrame({"age": RNG.integers(18, 90, N), "h": RNG.normal(170, 9, N)})
    rows = datasets.Table.of(frame).to_frame(np.array([[-3.0, 500.0], [40.6, 171.5]], np.float32))
    assert rows.age.tolist() == [frame.age.min(), 41]
    assert rows.h.tolist() == pytest.approx([frame.h.max(), 171.5])


def frame_of(**columns):
    return pd.DataFrame({name: list(values) for name, values in columns.items()})


WRONG = {
    "no frame": (lambda: datasets.Table.of([[1, 2]]), InputTypeError, "a pandas.DataFrame"),
    "twice": (
        lambda: datasets.Table.of(pd.DataFrame([[1, 2]], columns=["a", "a"])),
        InputError,
        "different names",
    ),
    "empty": (lambda: datasets.Table.of(frame_of(a=[None, None])), InputError, "column 'a'"),
    "infinite": (lambda: datasets.Table.of(frame_of(a=[1.0, np.inf])), InputError, "infinite"),
    "texts": (
        lambda: datasets.Table.of(frame_of(id=map(str, range(500)))),
        InputError,
        "500 different texts.*id=skip",
    ),
    "each its own": (
        lambda: datasets.Table.of(frame_of(day=map(str, range(100)))),
        InputError,
        "100 different texts.*day=skip",
    ),
    "dates": (
        lambda: datasets.Table.of(frame_of(d=pd.date_range("2020", periods=9))),
        InputTypeError,
        "numbers or texts in the column 'd'",
    ),
    "lists": (lambda: datasets.Table.of(frame_of(a=[[1], [2]])), InputTypeError, "column 'a'"),
    "kind": (lambda: datasets.Table.of(frame_of(a=[1]), {"a": "rael"}), InputError, "is it real"),
    "column": (
        lambda: datasets.Table.of(frame_of(age=[1]), {"agee": "real"}),
        InputError,
        "is it age",
    ),
    "skipped": (lambda: datasets.Table.of(frame_of(a=[1]), {"a": "skip"}), InputError, "a column"),
    "not positive": (
        lambda: datasets.Table.of(frame_of(a=[1.0, -2.0]), {"a": "positive"}),
        InputError,
        "kind positive in the column 'a'.*-2.0",
    ),
    "no counts": (
        lambda: datasets.Table.of(frame_of(a=[1.0, 2.5]), {"a": "count"}),
        InputError,
        "2.5",
    ),
    "not two": (
        lambda: datasets.Table.of(frame_of(a=[1, 2, 3]), {"a": "binary"}),
        InputError,
        "a=category",
    ),
    "no number": (
        lambda: datasets.Table.of(frame_of(a=["x", "y"]), {"a": "real"}),
        InputError,
        "numbers in the column 'a'",
    ),
    "new label": (
        lambda: datasets.Table.of(frame_of(a=["x", "y"])).to_array(frame_of(a=["z"])),
        InputError,
        "'z'",
    ),
    "no column": (
        lambda: datasets.Table.of(frame_of(a=["x", "y"])).to_array(frame_of(b=["x"])),
        InputError,
        "'a'",
    ),
    "rows": (
        lambda: datasets.Table.of(frame_of(a=["x", "y"])).to_frame(np.zeros((2, 3))),
        InputError,
        r"rows \[N, 1\]",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_a_table_is_refused_by_name(name):
    call, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("suffix, mark", [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_a_text_file_is_read_whatever_marks_its_columns(tmp_path, suffix, mark):
    frame = people(200)
    path = tmp_path / f"people{suffix}"
    frame.to_csv(path, sep=mark, index=False)
    found = datasets.load(path, kinds={"children": "count", "weight": "skip"})
    kinds = {column.name: column.kind for column in found.table.columns}
    assert kinds["children"] == "count" and "weight" not in kinds
    assert len(found.x_train) + len(found.x_test) == 200
    assert found.x_train.shape[1] == found.table.size == 10


def test_a_parquet_file_holds_the_same_rows(tmp_path):
    frame = people(200)
    frame.to_parquet(tmp_path / "p.parquet")
    frame.to_csv(tmp_path / "p.csv", index=False)
    a, b = (datasets.load(tmp_path / f"p{suffix}") for suffix in (".parquet", ".csv"))
    assert np.array_equal(a.x_train, b.x_train, equal_nan=True) and a.table == b.table


def test_held_out_rows_have_no_part_in_means(tmp_path):
    frame = pd.DataFrame({"a": RNG.normal(0, 1, 60)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = datasets.load(tmp_path / "t.csv")
    assert found.table.columns[0].offset == pytest.approx(found.x_train.mean(), abs=1e-6)
    assert found.table.columns[0].offset != pytest.approx(frame.a.mean(), abs=1e-6)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe\x01" * 50, b'a,b\n"1,2\n', b"a,b\n1\n1,2,3\n"]
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_damaged_file_is_refused_by_name(tmp_path, content, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"t{suffix}"):
        datasets.load(path)


def test_kinds_are_found_for_large_tables_quickly():
    """By the values alone: no column is sorted more than once, and none is taken for an index."""
    frame = pd.DataFrame({f"c{i}": RNG.normal(size=20_000) for i in range(20)})
    assert {kind.name for kind in column_kinds.of_frame(frame).values()} == {"real"}


def test_the_model_of_a_table_begins_with_its_columns_means():
    frame = people(600)
    table = datasets.Table.of(frame)
    vae = tfvae.table_vae(table, 4, (8,), seed=0)
    vae.decoder.layers[-1].kernel.assign(0 * vae.decoder.layers[-1].kernel)
    x = vae.sample(1).numpy()[0]
    means = np.nanmean(table.to_array(frame), axis=0)
    for column, found, expected in zip(
        table.columns, vae.likelihood.split(x), vae.likelihood.split(means)
    ):
        if column.kind == "positive":  # begins with the median
            assert found == pytest.approx(frame[column.name].median(), rel=0.3)
        else:
            assert found == pytest.approx(expected, rel=1e-2, abs=1e-3)


def test_many_categories_reach_the_encoder_as_an_embedding():
    frame = pd.DataFrame({"a": [f"c{i}" for i in range(40)] * 5, "b": RNG.normal(size=200)})
    vae = tfvae.table_vae(frame, 2, (8,), seed=0)
    first = vae.encoder.layers[-2].kernel.shape[0]
    assert first == round(1.6 * 40**0.56) + 1


@pytest.mark.parametrize("table", [3, np.zeros((3, 2)), None])
def test_no_table_is_refused(table):
    with pytest.raises(InputTypeError, match="a tfvae.datasets.Table"):
        tfvae.table_vae(table, 2)


def test_whole_numbers_beyond_64_bits_come_back():
    frame = pd.DataFrame({"mass": [(i * 7 % 13 + 1) * 1.5e20 for i in range(60)]})
    table = Table.of(frame, {"mass": "real"})
    back = table.to_frame(table.to_array(frame))["mass"]
    np.testing.assert_allclose(back, frame["mass"], rtol=1e-6)


@pytest.mark.parametrize(
    ("all_values", "some"),
    [(["1", "2", "A"], [1, 2]), (["1", "2", "A"], [1.0, None]), (["True", "False", "x"], [True])],
)
def test_a_file_of_fewer_rows_may_have_texts_that_look_like_numbers(all_values, some):
    table = Table.of(pd.DataFrame({"a": all_values * 20}), {"a": "category"})
    found = table.to_array(pd.DataFrame({"a": some}))
    texts = [None if value is None else str(value).removesuffix(".0") for value in some]
    np.testing.assert_array_equal(found, table.to_array(pd.DataFrame({"a": texts})))
    with pytest.raises(InputError, match=matches("one of", "'a'")):
        table.to_array(pd.DataFrame({"a": [3]}))


def test_a_column_has_one_type_however_long_its_file_is(tmp_path):
    rows = ["0", "1", "2"] * 100_000 + ["a", "b", "c"] * 1000
    (tmp_path / "mix.csv").write_text("a\n" + "\n".join(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = read_table(tmp_path / "mix.csv")
    assert sorted(frame["a"].unique()) == ["0", "1", "2", "a", "b", "c"]
