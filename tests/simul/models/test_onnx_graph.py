"""Graphs that the package writes compute in onnxruntime what numpy computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnxruntime", reason="graphs are computed by onnxruntime")

import onnxruntime

from simul.models.onnx_graph import Graph


def run(graph: Graph, feeds: dict[str, Any]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graph.serialize(), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, feeds)
    return found


@given(
    rows=st.integers(1, 5),
    width=st.integers(1, 300),
    seed=st.integers(0, 1000),
    alpha=st.floats(-3, 3, width=32),
)
def test_operators_constants_and_free_dimensions(rows: int, width: int, seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, width)).astype(np.float32)
    graph = Graph()
    x = graph.input("x", "float32", ["rows", 4])
    product = graph.node("Gemm", x, graph.constant(weight), alpha=alpha, transB=0)
    top, bottom = graph.nodes(
        "Split", 2, graph.node("Concat", product, product, axis=1), axis=1, num_outputs=2
    )
    graph.output(graph.node("Add", top, bottom), "sum", "float32", ["rows", width])
    graph.output(graph.node("Transpose", product, perm=[1, 0]), "turned", "float32", [width, "rows"])
    given = rng.normal(size=(rows, 4)).astype(np.float32)
    total, turned = run(graph, {"x": given})
    expected = np.float32(alpha) * (given @ weight)
    np.testing.assert_allclose(total, 2 * expected, atol=1e-4)
    np.testing.assert_allclose(turned, expected.T, atol=1e-4)


@pytest.mark.parametrize("kind", ["uint8", "int8", "int32", "int64", "float32", "bool"])
def test_constants_of_every_type_and_of_no_dimension(kind: str) -> None:
    graph = Graph()
    array = np.array([[1, 0, 1]], kind)
    graph.input("unused", "float32", [1])
    graph.output(graph.constant(array), "table", kind, [1, 3])
    graph.output(graph.constant(array[0, 0]), "number", kind, [])
    table, number = run(graph, {"unused": np.zeros(1, np.float32)})
    assert table.dtype == array.dtype
    np.testing.assert_array_equal(table, array)
    assert number.shape == ()
    assert number == array[0, 0]


def test_small_equal_constants_are_kept_once() -> None:
    graph = Graph()
    assert graph.constant(np.int64(1)) == graph.constant(np.int64(1))
    assert graph.constant(np.int64(1)) != graph.constant(np.int32(1))
    assert graph.constant(np.array([1])) != graph.constant(np.int64(1))
