"""CSR samples: what dense ones give, from indices and numbers of any type, and nothing beyond their arrays.

The same bits, if each row's columns ascend; else sums are taken in another order.
"""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from problems import make_network, make_trainer, random_targets, random_weights
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.engine.arrays import check_indices, source_dtypes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, N_FEATURES = 90, 37


@pytest.fixture
def X(rng):
    X = sp.random_array(
        (N, N_FEATURES), density=0.15, random_state=rng, data_sampler=lambda size: rng.integers(1, 9, size)
    )
    return X.tocsr()


def classifier(**parameters):
    return MLPClassifier(
        **{"hidden_layer_sizes": (8,), "max_iter": 4, "random_state": 0, "batch_size": 16} | parameters
    )


def with_wide_indices(X):
    X = X.copy()
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def with_mixed_indices(X):
    X = X.copy()
    X.indptr = X.indptr.astype(np.int64)
    return X


def unsorted(X):
    """Columns backwards within each row, and each number in two halves."""
    X = X.tocoo()
    row, column, data = np.tile(X.coords[0], 2), np.tile(X.coords[1], 2), np.tile(X.data / 2, 2)
    order = np.lexsort((-column, row))
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=N))])
    return sp.csr_array((data[order], column[order], starts), shape=X.shape)


FORMATS = {
    "CSR array": sp.csr_array,
    "CSR matrix": sp.csr_matrix,
    "CSC": sp.csc_array,
    "COO": sp.coo_array,
    "LIL": sp.lil_array,
    "wide indices": with_wide_indices,
    "mixed indices": with_mixed_indices,
    "unsorted, in halves": unsorted,
}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_every_format(make, early_stopping, X, rng):
    y = rng.integers(0, 3, N)
    dense = classifier(early_stopping=early_stopping).fit(X.toarray().astype(float), y)
    model = classifier(early_stopping=early_stopping).fit(make(X.astype(float)), y)
    tolerance = 1e-12 if make is unsorted else 0
    for array, its in zip(model.coefs_ + model.intercepts_, dense.coefs_ + dense.intercepts_, strict=True):
        np.testing.assert_allclose(array, its, rtol=tolerance)
    for method in ("predict_proba", "hidden_activations"):
        ours, theirs = getattr(model, method)(make(X.astype(float))), getattr(dense, method)(X.toarray())
        np.testing.assert_allclose(ours, theirs, rtol=tolerance)


@pytest.mark.parametrize("source", [*source_dtypes, np.dtype(bool)], ids=str)
def test_every_type_of_numbers(source, X, rng, dtype, level):
    weights, labels = random_weights(rng, (N_FEATURES, 20, 3), dtype), random_targets(rng, "softmax", N, 3)
    X = X.astype(np.float64)
    if source == np.float16:  # SciPy has none: its arrays are taken as they are
        X.data = X.data.astype(source)
    else:
        X = X.astype(source)
    dense = np.zeros((N, N_FEATURES), source)
    dense[np.repeat(np.arange(N), np.diff(X.indptr)), X.indices] = X.data
    outcomes = []
    for samples in (X, dense):
        trainer = make_trainer(weights, ["relu"], "softmax", "momentum", 8, level=level, learning_rate=0.1, decay_1=0.9)
        outcomes.append(
            (trainer.run(samples, labels, rng.permutation(N)[:0], 1.0), trainer.run(samples, labels, np.arange(N)))
        )
        outcomes[-1] += (trainer.network.parameters.tobytes(), trainer.network.forward(samples, 2).tobytes())
    assert outcomes[0] == outcomes[1]


def test_scikit_learns_numbers(X, rng):
    X, y = X.astype(float), rng.integers(0, 3, N)
    parameters = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
    ours, theirs = MLPClassifier(**parameters).fit(X, y), SklearnMLPClassifier(**parameters).fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("n_rows", [0, 1, 63, 64, 65, 1030])
def test_blocks_of_rows(n_rows, rng, dtype, level):
    X = sp.random_array((n_rows, 70), density=0.1, random_state=rng, format="csr")
    network = make_network(random_weights(rng, (70, 30, 5), dtype), ["relu"], "softmax", level)
    outputs = network.forward(X.toarray(), 1)
    for n_threads in (1, 3):
        assert network.forward(X, n_threads).tobytes() == outputs.tobytes()


def test_it_is_never_made_dense(rng):
    import tracemalloc

    X = sp.random_array((20_000, 5_000), density=1e-3, random_state=rng, format="csr", dtype=np.float32)  # 400 MB dense
    y = rng.integers(0, 2, 20_000)
    model = MLPClassifier((4,), max_iter=1, batch_size=100, random_state=0, n_threads=1)
    model.fit(X[:200], y[:200])
    tracemalloc.start()
    model.fit(X, y).predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def test_blocks_are_as_large_as_what_they_store(rng):
    import tracemalloc

    X = sp.random_array((2_000, 300_000), density=1e-5, random_state=rng, format="csr", dtype=np.float32)
    network = make_network(random_weights(rng, (300_000, 2), np.float32), [], "softmax")
    tracemalloc.start()
    network.forward(X, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6  # 64 dense rows are 77 MB


def test_space_for_batches_follows_the_samples(X, rng):
    """Dense, then sparse, then with more stored in a batch, then dense again."""
    weights, labels = random_weights(rng, (N_FEATURES, 5, 3)), random_targets(rng, "softmax", N, 3)
    full = sp.csr_array(rng.normal(size=(N, N_FEATURES)))
    outcomes = []
    for dense in (False, True):
        trainer = make_trainer(
            weights, ["relu"], "softmax", "adam", 16, learning_rate=0.1, decay_1=0.9, decay_2=0.99, epsilon=1e-8
        )
        outcomes.append([])
        for samples in (full.toarray(), X, full, sp.csr_array((N, N_FEATURES)), full.toarray()):
            samples = samples.toarray() if dense and sp.issparse(samples) else samples
            outcomes[-1].append((trainer.run(samples, labels, np.arange(N)), trainer.network.parameters.tobytes()))
    assert outcomes[0] == outcomes[1]


BROKEN = {
    "a column too far": lambda X: X.indices.__setitem__(3, N_FEATURES),
    "a negative column": lambda X: X.indices.__setitem__(3, -1),
    "a start beyond the end": lambda X: X.indptr.__setitem__(-1, X.nnz + 1),
    "starts that go back": lambda X: X.indptr.__setitem__(5, X.nnz),
    "a negative start": lambda X: X.indptr.__setitem__(0, -1),
}


@pytest.mark.parametrize("breaks", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_broken_matrices_are_refused(estimator, breaks, X, rng):
    X, y = X.astype(float), rng.integers(0, 3, N)
    model = estimator(hidden_layer_sizes=(8,), max_iter=2).fit(X, y)
    broken = X.copy()
    breaks(broken)
    for use in (estimator(max_iter=2).fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"X.ind(ices|ptr) must be"):
            use(broken, y)
    with pytest.raises(ValueError, match=r"X.ind(ices|ptr) must be"):
        model.predict(broken)


@pytest.mark.parametrize("dtype", ["i4", "f4", "f8"])  # which scikit-learn converts, or does not
@pytest.mark.parametrize("format", ["csr", "csc", "bsr", "coo"])
@pytest.mark.parametrize("estimator", [MLPClassifier, Perceptron])
def test_they_are_refused_before_anything_is_converted(estimator, format, dtype, X, rng):
    """SciPy follows the indices wherever they lead, and writes there."""
    X, y = X.asformat(format).astype(dtype), rng.integers(0, 3, N)
    model = estimator(max_iter=2).fit(X.astype("f4"), y)
    broken = X.copy()
    (broken.coords[1] if format == "coo" else broken.indices)[0] = 2**31 - 1
    for use in (estimator(max_iter=2).fit, model.partial_fit, estimator(max_iter=2).partial_fit):
        with pytest.raises(ValueError, match=r"X\.(indices|coords\[1\]) must be"):
            use(broken, y, **({} if use.__name__ == "fit" else {"classes": [0, 1, 2]}))
    with pytest.raises(ValueError, match=r"X\.(indices|coords\[1\]) must be"):
        model.predict(broken)


def dia(**changes):
    X = sp.dia_array((np.ones((2, N_FEATURES)), [0, -1]), shape=(N, N_FEATURES))
    for name, value in changes.items():
        setattr(X, name, value)
    return X


def lil(place, lists):
    X = sp.lil_array(np.eye(N, N_FEATURES))
    getattr(X, place)[3] = lists
    return X


def dok(key):
    X = sp.dok_array(np.eye(N, N_FEATURES))
    X._dict[key] = 1.0
    return X


def coo(**changes):
    X = sp.coo_array(np.eye(N, N_FEATURES))
    for name, value in changes.items():
        setattr(X, name, value)
    return X


def csr(**changes):
    X = sp.csr_array(np.eye(N, N_FEATURES))
    for name, value in changes.items():
        setattr(X, name, value)
    return X


def bsr(blocks, n_more=0):
    X = sp.bsr_array(np.eye(N, N_FEATURES), blocksize=(1, 1))
    X.data = np.ones((len(X.data) + n_more, *blocks))
    return X


BROKEN_FORMATS = {
    "DIA, an offset above": (
        dia(offsets=np.array([0, N_FEATURES])),
        r"X\.offsets must be different whole numbers from -89 to 36",
    ),
    "DIA, an offset below": (dia(offsets=np.array([0, -(2**31)])), r"X\.offsets must be"),
    "DIA, an offset twice": (dia(offsets=np.array([0, 0])), r"X\.offsets must be"),
    "DIA, broken offsets": (dia(offsets=np.array([0.0, 1.5])), r"X\.offsets must be"),
    "DIA, more offsets": (dia(offsets=np.arange(9)), r"X\.data must have a row for each of 9 offsets, got 2"),
    "DIA, a list": (dia(offsets=[0, 1]), r"X\.offsets must be an array"),
    "DIA, flat": (dia(data=np.ones(9)), r"X\.data must be an array of 2 axes"),
    "LIL, a column too far": (lil("rows", [10**8]), r"X\.rows must be lists of indices from 0 to 36"),
    "LIL, a negative column": (lil("rows", [-1]), r"X\.rows must be lists of indices"),
    "LIL, a huge column": (lil("rows", [10**30]), r"X\.rows must be lists of indices"),
    "LIL, a text": (lil("rows", ["a"]), r"X\.rows must be lists of indices"),
    "LIL, fewer columns": (lil("rows", []), r"X\.rows and X\.data must be lists of the same lengths"),
    "LIL, more numbers": (lil("data", [1.0] * 10**6), r"X\.rows and X\.data must be lists of the same lengths"),
    "LIL, no numbers": (lil("data", ["a"]), r"X\.data must be lists of numbers"),
    "CSR, fractions": (csr(indices=np.full(N_FEATURES, 0.5)), r"X\.indices must be whole numbers, got float64"),
    "CSR, rows of indices": (csr(indices=np.zeros((N_FEATURES, 1), int)), r"X\.indices must be an array of 1 axes"),
    "CSR, a list": (csr(data=[1.0] * N_FEATURES), r"X\.data must be an array"),
    "LIL, no list": (lil("rows", None), r"X\.rows must be 90 lists, got 90 of type NoneType and list"),
    "DOK, a row too far": (dok((N, 0)), r"keys of X must be from 0 to 89 on axis 0"),
    "DOK, a negative column": (dok((0, -1)), r"keys of X must be from 0 to 36 on axis 1"),
    "DOK, no pair": (dok(3), r"keys of X must be pairs of indices, got 3"),
    "COO, too few": (coo(data=np.ones(3)), r"X\.coords\[0\] must be 3 indices"),
    "COO, one axis": (coo(coords=(np.zeros(N_FEATURES, int),)), r"X\.coords must be 2 arrays, got 1"),
    "COO, fractions": (coo(coords=(np.zeros(N_FEATURES),) * 2), r"X\.coords\[0\] must be 37 indices"),
    "BSR, blocks that do not fit": (bsr((7, 2)), r"X\.data must be blocks that divide the shape"),
    "BSR, more blocks": (bsr((1, 1), 5), r"X\.data and X\.indices must have 37 blocks"),
    "BSR, empty blocks": (bsr((0, 1)), r"X\.data must be blocks that divide the shape"),
    "one axis": (sp.coo_array(np.ones(N)), "X must have 2 axes, got 1"),
}


@pytest.mark.parametrize(("broken", "message"), BROKEN_FORMATS.values(), ids=BROKEN_FORMATS)
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor, Perceptron])
def test_every_format_is_looked_at(estimator, broken, message, X, rng):
    y = rng.integers(0, 2, N)
    model = estimator(max_iter=2).fit(X.astype(float), y)
    for use in (estimator(max_iter=2).fit, model.fit, model.partial_fit, model.score):
        with pytest.raises(ValueError, match=message):
            use(broken, y)
    with pytest.raises(ValueError, match=message):
        model.predict(broken)


@pytest.mark.parametrize("format", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("estimator", [MLPClassifier, Perceptron])
def test_formats_that_are_as_they_should_be(estimator, format, X, rng):
    X, y = X[:40].astype(float), rng.integers(0, 2, 40)
    model = estimator(max_iter=2, random_state=0).fit(X.asformat(format), y)
    for part in (X, 0 * X, sp.csr_array((5, N_FEATURES))):
        np.testing.assert_array_equal(model.predict(part.asformat(format)), model.predict(part))


def test_a_broken_indicator_matrix_is_refused(X, rng):
    y = sp.csr_array(rng.integers(0, 2, (N, 3)))
    y.indices[0] = 2**31 - 1
    with pytest.raises(ValueError, match=r"y\.indices must be from 0 to 2"):
        classifier().fit(X.astype(float), y)
    labels = rng.integers(0, 2, N)
    whole = sp.csr_array(rng.integers(0, 2, (N, 3)))
    for format in ("bsr", "coo", "csc", "dok", "lil"):  # of which scikit-learn's scores know but some
        model = classifier().fit(X.astype(float), whole)
        assert model.score(X, whole.asformat(format)) == model.score(X, whole)
    quantiles = MLPRegressor("quantile", quantile=[0.1, 0.9], max_iter=2)
    for model in (classifier(), MLPRegressor(max_iter=2), quantiles, Perceptron()):
        with pytest.raises(ValueError, match=r"y\.indices must be from 0 to 2"):
            model.fit(X.astype(float), labels).score(X.astype(float), y)
    columns = rng.integers(0, 3, (N, 3))
    model = classifier().fit(X.astype(float), columns)
    with pytest.raises(ValueError, match=r"y\.indices must be from 0 to 2"):
        model.score(X, y)
    assert model.score(X, sp.lil_array(columns)) == model.score(X, columns)


def test_the_users_matrix_is_not_sorted(rng):
    X = unsorted(sp.random_array((N, N_FEATURES), density=0.2, random_state=rng, format="csr"))
    indices, y = X.indices.copy(), rng.integers(0, 3, N)
    model = Perceptron(max_iter=2, tol=None).fit(X.astype("f4"), y)
    model.partial_fit(X, y)
    np.testing.assert_array_equal(X.indices, indices)


@pytest.mark.parametrize("breaks", BROKEN.values(), ids=BROKEN)
def test_the_engine_reads_nothing_beyond_a_broken_matrix(breaks, X, rng):
    """It is not told of changes after the check: what is not there is passed over."""
    broken = X.astype(float)
    breaks(broken)
    network = make_network(random_weights(rng, (N_FEATURES, 5, 3)), ["relu"], "softmax")
    assert np.isfinite(network.forward(broken, 2)).all()


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("make", [sp.csr_array, with_wide_indices], ids=["narrow", "wide"])
def test_training_passes_over_what_is_not_there(make, how, X, rng):
    """As if it were a matrix without: a column that there is not, and rows that lead out."""
    broken = make(X.astype(float))
    BROKEN[how](broken)
    starts = broken.indptr.tolist()
    inside = np.zeros((N, N_FEATURES))
    for row, (begin, end) in enumerate(pairwise(starts)):
        for k in range(begin, end) if begin >= 0 and end <= X.nnz else ():
            if 0 <= broken.indices[k] < N_FEATURES:
                inside[row, broken.indices[k]] += broken.data[k]
    weights, labels = random_weights(rng, (N_FEATURES, 5, 3)), random_targets(rng, "softmax", N, 3)
    outcomes = []
    for samples in (broken, inside):
        trainer = make_trainer(weights, ["relu"], "softmax", "sgd", 16, learning_rate=0.1)
        outcomes.append((trainer.run(samples, labels, np.arange(N)), trainer.network.parameters))
    tolerance = 1e-12 if how == "starts that go back" else 0  # in such rows columns are out of order
    np.testing.assert_allclose(outcomes[0][0], outcomes[1][0], rtol=tolerance)
    np.testing.assert_allclose(outcomes[0][1], outcomes[1][1], rtol=tolerance)


def unaligned(array):
    packed = np.zeros(len(array), np.dtype([("pad", "u1"), ("x", array.dtype)]))
    moved = packed.view(np.uint8)[1 : 1 + array.nbytes].view(array.dtype)
    moved[:] = array
    assert not moved.flags.aligned
    return moved


def read_only(array):
    array = array.copy()
    array.setflags(write=False)
    return array


ARRAYS = {
    "unaligned": unaligned,
    "read only": read_only,
    "strided": lambda array: np.repeat(array, 2)[::2],
    "of the other byte order": lambda array: (
        array.astype(array.dtype.newbyteorder()) if array.dtype.kind == "i" else array
    ),
    "with more behind": lambda array: np.append(array, array[:3]) if array.dtype.kind == "f" else array,
}


@pytest.mark.parametrize("make", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_the_three_arrays_may_be_anywhere(index, make, X, rng, level):
    X, moved = X.astype(float), X.astype(float)
    moved.data, moved.indices, moved.indptr = (
        make(array) for array in (X.data, X.indices.astype(index), X.indptr.astype(index))
    )
    check_indices(moved)
    network = make_network(random_weights(rng, (N_FEATURES, 5, 3)), ["relu"], "softmax", level)
    np.testing.assert_array_equal(network.forward(moved, 2), network.forward(X, 2))


@pytest.mark.parametrize("format", ["csc", "coo", "bsr", "lil", "dok", "dia"])
def test_the_engine_reads_csr_only(format, rng):
    """A square CSC matrix would pass for its transpose."""
    square = sp.random_array((N_FEATURES, N_FEATURES), density=0.2, random_state=rng).asformat(format)
    weights, labels = random_weights(rng, (N_FEATURES, 3)), random_targets(rng, "softmax", N_FEATURES, 3)
    trainer = make_trainer(weights, [], "softmax", "sgd", 8, learning_rate=0.1)
    with pytest.raises(TypeError, match=f"sparse matrix of format {format}"):
        trainer.run(square, labels, np.arange(N_FEATURES))
    with pytest.raises(TypeError, match=f"sparse matrix of format {format}"):
        trainer.network.forward(square, 1)


def test_wrong_shapes_are_refused(X, rng):
    weights, labels = random_weights(rng, (N_FEATURES, 3)), random_targets(rng, "softmax", N, 3)
    trainer = make_trainer(weights, [], "softmax", "sgd", 8, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 37\), got 36 columns"):
        trainer.run(X[:, 1:], labels, np.arange(N))
    with pytest.raises(ValueError, match="order must be from 0 to below 89, the number of samples"):
        trainer.run(X[1:], labels[1:], np.arange(N))
    X.indptr = X.indptr[:-1]
    with pytest.raises(ValueError, match=r"X.indptr must have 91 numbers, got 90"):
        trainer.run(X, labels, np.arange(N))


def test_nan_is_refused(X, rng):
    X = X.astype(float)
    X.data[4] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        classifier().fit(X, rng.integers(0, 3, N))
