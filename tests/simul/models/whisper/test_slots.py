"""Windows in slots against the causal encoder that keeps a window each, for any cutting and any order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="slots are tensors of torch")
pytest.importorskip("transformers", reason="the network is one of transformers")
pytest.importorskip("onnxruntime", reason="the causal encoder is computed by onnxruntime")

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from simul.decoding.batch import cross_keys
from simul.decoding.graphs import Graphs
from simul.models.whisper.causal import CausalEncoder, CausalState
from simul.models.whisper.slots import SPARE, SlotEncoded, SlotEncoder, SlotWindow
from simul.models.whisper.transformers_encoder import put_encoder
from tests.simul.decoding.tape import TapeRecorder, asks
from tests.simul.models.whisper.test_causal import RATE, speech
from tests.simul.models.whisper.toy import BANDS, HEADS, LAYERS, POSITIONS, WIDTH, random_weights

pytestmark = pytest.mark.usefixtures("one_torch_thread")
WEIGHTS = random_weights()
LONGEST = 3 * RATE


def make_network() -> Any:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=20,
        num_mel_bins=BANDS,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=3,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=4,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=WIDTH,
        max_source_positions=POSITIONS,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=1,
    )
    network = WhisperForConditionalGeneration(config).eval().requires_grad_(False)
    with torch.no_grad():
        # The random weights of the package are so small that every frame would count alike.
        for layer in network.model.decoder.layers:
            for linear in (layer.encoder_attn.k_proj, layer.encoder_attn.v_proj):
                linear.weight.normal_(0, 0.5)
    put_encoder(network, WEIGHTS)
    return network


@pytest.fixture(scope="module")
def network() -> Any:
    return make_network()


class Alone:
    """One window in the encoder that keeps states for each."""

    def __init__(self, model: CausalEncoder, network: Any) -> None:
        self.model, self.network = model, network
        self.state: CausalState = model.start()
        self.fixed: list[np.ndarray] = []

    def grow(self, samples: np.ndarray) -> torch.Tensor:
        """Keys and values of all frames, when `samples` are all that there is."""
        self.model.push(self.state, samples[self.state.received :])
        self.fixed += self.model.advance([self.state])
        states = np.concatenate([*self.fixed, self.model.peek(self.state)])
        layers = [layer.encoder_attn for layer in self.network.model.decoder.layers]
        with torch.inference_mode():
            return cross_keys(layers, torch.from_numpy(states))


Act = tuple[list[int], list[float]]
acts = st.lists(
    st.tuples(
        st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
        st.lists(st.floats(0, 1), min_size=5, max_size=5),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25)
@given(seed=st.integers(0, 100), block=st.sampled_from((1, 10, 25)), acts=acts, recorded=st.booleans())
def test_windows_in_slots_are_those_that_are_kept_alone(
    network: Any, seed: int, block: int, acts: list[Act], recorded: bool
) -> None:
    """Each act lets some windows grow, in some order, each by a share of what it lacks; full ones begin anew."""
    slots = SlotEncoder(network, block, slots=2, graphs=Graphs(TapeRecorder()) if recorded else None)
    model = CausalEncoder(WEIGHTS, "float32", 1, block)
    sounds = [speech(seed + i, LONGEST) for i in range(5)]
    windows: dict[int, SlotWindow] = {}
    alone: dict[int, Alone] = {}
    lengths = dict.fromkeys(range(5), 0)
    for chosen, shares in acts:
        for i in chosen:
            if i not in windows or lengths[i] == LONGEST:
                windows[i], alone[i], lengths[i] = slots.start(), Alone(model, network), 0
            lengths[i] += round(shares[i] * (LONGEST - lengths[i]))
        heard = [sounds[i][: lengths[i]] for i in chosen]
        for i, samples, found in zip(
            chosen, heard, slots.grow([windows[i] for i in chosen], heard), strict=True
        ):
            torch.testing.assert_close(found.cross, alone[i].grow(samples), atol=1e-4, rtol=0)
            assert found.content == max(1, min(-(-len(samples) // 320), found.cross.shape[3]))
    assert slots.pool.taken == len(windows)


@pytest.fixture
def slots(network: Any) -> SlotEncoder:
    return SlotEncoder(network, 10, slots=3)


@pytest.fixture
def addresses(slots: SlotEncoder) -> Callable[[], list[int]]:
    return lambda: [tensor.data_ptr() for tensor in slots.pool.tensors.each()]


def test_a_slot_comes_back_with_the_last_reference_and_is_as_new(
    slots: SlotEncoder, addresses: Callable[[], list[int]]
) -> None:
    before = addresses()
    sound = speech(1, RATE)
    expected = slots.grow([slots.start()], [sound])[0].cross.clone()
    for _ in range(20):
        window = slots.start()
        found: list[SlotEncoded] = slots.grow([window], [100 * speech(2, RATE)])
        with torch.inference_mode():
            found[0].remember((1, 2), torch.ones_like(slots.pool.tensors.own[:, :, 1, :, :2]))
        del window
        assert slots.pool.taken == 1, "what is encoded holds the slot"
        del found
        assert slots.pool.taken == 0
        for tensor in slots.pool.tensors.each():
            assert not tensor[1:].any()
        torch.testing.assert_close(slots.grow([slots.start()], [sound])[0].cross, expected, rtol=0, atol=0)
    assert addresses() == before


def test_what_was_not_a_number_in_a_slot_does_not_reach_who_comes_next(slots: SlotEncoder) -> None:
    sound = speech(3, RATE)
    expected = slots.grow([slots.start()], [sound])[0].cross.clone()
    window = slots.start()
    broken = slots.grow([window], [np.full(2 * RATE, np.nan, np.float32)])
    assert broken[0].cross.isnan().any()
    del window, broken
    torch.testing.assert_close(slots.grow([slots.start()], [sound])[0].cross, expected)


def test_no_windows_are_no_work(slots: SlotEncoder) -> None:
    assert slots.grow([], []) == []


def test_more_windows_than_ever_double_the_slots_and_lose_nothing(network: Any) -> None:
    slots, sounds = SlotEncoder(network, 10, slots=1), [speech(i, 2 * RATE) for i in range(5)]
    together = SlotEncoder(network, 10, slots=8)
    windows, firsts = [], []
    for sound in sounds:
        windows.append(slots.start())
        firsts += slots.grow([windows[-1]], [sound[:RATE]])
    assert (slots.pool.slots, slots.pool.taken, slots.pool.generation) == (8, 5, 3)
    others = [together.start() for _ in sounds]
    for found, expected in zip(
        firsts, together.grow(others, [sound[:RATE] for sound in sounds]), strict=True
    ):
        torch.testing.assert_close(found.cross, expected.cross, atol=1e-5, rtol=0)
    for found, expected in zip(slots.grow(windows, sounds), together.grow(others, sounds), strict=True):
        torch.testing.assert_close(found.cross, expected.cross, atol=1e-5, rtol=0)


def test_after_a_failure_windows_begin_anew(slots: SlotEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = [speech(4, 2 * RATE), speech(5, RATE)]
    windows = [slots.start() for _ in sounds]
    slots.grow(windows, [sound[: RATE // 2] for sound in sounds])
    real, calls = SlotEncoder._layer, []

    def failing(self: SlotEncoder, *more: Any) -> torch.Tensor:
        calls.append(0)
        if len(calls) == LAYERS + 2:
            raise MemoryError
        return real(self, *more)

    with monkeypatch.context() as patch:
        patch.setattr(SlotEncoder, "_layer", failing)
        with pytest.raises(MemoryError):
            slots.grow(windows, sounds)
    expected = SlotEncoder(slots._network, 10, slots=3)
    others = [expected.start() for _ in sounds]
    for found, whole in zip(slots.grow(windows, sounds), expected.grow(others, sounds), strict=True):
        torch.testing.assert_close(found.cross, whole.cross, atol=1e-5, rtol=0)


class Made(TorchDispatchMode):
    """The largest tensor that is made, in elements of memory of its own, and what asks the device for a number."""

    def __init__(self) -> None:
        super().__init__()
        self.largest, self.asked = 0, []  # type: ignore[var-annotated]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        known = {a.untyped_storage().data_ptr() for a in args if isinstance(a, torch.Tensor)}
        for tensor in found if isinstance(found, (list, tuple)) else [found]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in known:
                self.largest = max(self.largest, tensor.untyped_storage().nbytes() // 4)
        if asks(func, args):
            self.asked.append(func._schema.name)
        return found


@pytest.fixture
def at_work(network: Any) -> Callable[[], None]:
    """Two of many windows grow by a second."""
    slots = SlotEncoder(network, 10, slots=64)
    sound = speech(6, 3 * RATE)
    windows = [slots.start() for _ in range(40)]
    slots.grow(windows[:2], [sound[:RATE], sound[: RATE // 2]])
    return lambda: [*slots.grow(windows[:2], [sound[: 2 * RATE], sound[: RATE + 999]])] and None


def test_steps_make_nothing_of_the_size_of_all_slots_and_ask_nothing(at_work: Callable[[], None]) -> None:
    with Made() as made:
        at_work()
    one_slot = LAYERS * POSITIONS * WIDTH
    assert 0 < made.largest <= 2 * one_slot
    assert made.asked == []


def test_rows_that_only_fill_the_batch_change_nothing(slots: SlotEncoder) -> None:
    sound = speech(7, RATE)
    expected = slots.grow([slots.start()], [sound])[0].cross.clone()
    real = SlotEncoder.step

    def filled(self: SlotEncoder, inputs: Any, width: int, seen: int) -> None:
        extra = [
            torch.cat([part, torch.zeros_like(part[:1]).repeat(3, *[1] * (part.ndim - 1))]) for part in inputs
        ]
        assert SPARE == 0
        real(self, type(inputs)(*extra), 40, 80)

    other = slots.start()
    slots.grow([other], [sound[: RATE // 3]])
    kept = [tensor[other.slot].clone() for tensor in slots.pool.tensors.each()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SlotEncoder, "step", filled)
        found = slots.grow([slots.start()], [sound])[0].cross
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    for tensor, before in zip(slots.pool.tensors.each(), kept, strict=True):
        torch.testing.assert_close(tensor[other.slot], before, rtol=0, atol=0)


def test_recordings_are_of_few_shapes_and_void_when_slots_move(network: Any) -> None:
    recorder = TapeRecorder()
    slots = SlotEncoder(network, 10, slots=4, graphs=Graphs(recorder))
    sounds = [speech(i, 2 * RATE) for i in range(6)]
    windows = [slots.start() for _ in range(4)]

    def grow(which: slice, seconds: float) -> int:
        heard = [sound[: round(seconds * RATE)] for sound in sounds]
        slots.grow(windows[which], heard[: len(windows[which])])
        return len(recorder.tapes)

    first = grow(slice(3), 0.3)
    assert [grow(slice(3), seconds) for seconds in (0.5, 0.7, 0.9)] == [first] * 3
    alone = grow(slice(3, 4), 0.9)
    assert grow(slice(4), 1.0) == alone, "three rows and four are one shape"
    windows.append(slots.start())
    moved = grow(slice(5), 1.1)
    before = [tensor.data_ptr() for tensor in slots.pool.tensors.each()]
    assert grow(slice(3), 1.2) == moved + 1, "what was recorded of three or four rows is void"
    assert grow(slice(3), 1.3) == moved + 1
    assert [tensor.data_ptr() for tensor in slots.pool.tensors.each()] == before
