"""Records add up as if all values had been there at once, and are the same bytes wherever they were made."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch

from garage_nb.core.sealed import Broken
from garage_nb.fleet.readings.grid import BINS, bounds, counted, quantile
from garage_nb.fleet.readings.kinds import Count, Moments, Tally
from garage_nb.fleet.readings.record import Record, digest, from_bytes, merged, to_bytes


def values(seed: int, count: int = 200) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 1e4 + torch.randn(count, 3, generator=generator, dtype=torch.float64) * torch.tensor([1e-3, 1.0, 1e3])


def record(seed: int) -> Record:
    held = values(seed)
    return {"count": Count.of(held.argmax(0)), "tally": Tally.of(held), "moments": Moments.of(held)}


def test_merged_pieces_are_numpys_numbers_of_all_at_once() -> None:
    pieces = values(0, 1000).split([1, 599, 0, 37, 363])

    tally, moments = Tally.of(pieces[0]), Moments.of(pieces[0])
    for piece in pieces[1:]:
        tally, moments = tally.merged(Tally.of(piece)), moments.merged(Moments.of(piece))

    whole = torch.cat(pieces).numpy()
    assert tally.n.tolist() == [1000] * 3
    np.testing.assert_allclose(tally.mean, whole.mean(0), rtol=1e-14)
    np.testing.assert_allclose(tally.std, whole.std(0), rtol=1e-9)
    assert np.array_equal(tally.low, whole.min(0))
    assert np.array_equal(tally.high, whole.max(0))
    np.testing.assert_allclose(moments.products / 1000, np.cov(whole.T, bias=True), rtol=1e-7, atol=1e-6)


def test_what_has_met_nothing_changes_no_bit() -> None:
    one, nothing = values(0), values(0)[:0]

    for before, after in ((one, nothing), (nothing, one)):
        assert to_bytes({"": Tally.of(before).merged(Tally.of(after))}) == to_bytes({"": Tally.of(one)})
        assert to_bytes({"": Moments.of(before).merged(Moments.of(after))}) == to_bytes({"": Moments.of(one)})
    assert np.isnan(Tally.of(nothing).std).all()


def test_a_value_that_is_none_is_left_out() -> None:
    held = values(0)
    held[3, 1] = torch.nan

    tally = Tally.of(held)

    assert tally.n.tolist() == [200, 199, 200]
    np.testing.assert_allclose(tally.mean, np.nanmean(held.numpy(), 0), rtol=1e-14)


def test_a_name_that_one_lacks_counts_as_nothing() -> None:
    a, b = record(0), {"tally": record(1)["tally"], "own": record(1)["count"]}

    both = merged(a, b)

    assert sorted(both) == ["count", "moments", "own", "tally"]
    assert digest({"x": both["own"], "y": both["count"]}) == digest({"y": a["count"], "x": b["own"]})
    assert isinstance(both["tally"], Tally)
    assert both["tally"].n.tolist() == [400] * 3


def test_bytes_are_the_same_in_any_order_and_come_back_whole() -> None:
    held = record(0)
    backwards = dict(reversed(held.items()))

    data = to_bytes(held)

    assert data == to_bytes(backwards)
    assert digest(from_bytes(data)) == digest(held) == digest(backwards)
    assert to_bytes(from_bytes(data)) == data
    assert digest(held) != digest(record(1))


def test_damaged_bytes_are_broken() -> None:
    data = to_bytes(record(0))
    other = zlib.compress(b"no safetensors"), to_bytes({})[:5]

    for spoilt in (b"", data[:-9], b"\0" + data, data[:40] + b"??" + data[42:], *other):
        with pytest.raises(Broken, match="This is no record"):
            from_bytes(spoilt)


def test_quantiles_are_read_off_the_grid() -> None:
    generator = np.random.default_rng(0)
    held = np.stack(
        [generator.lognormal(0, 2, 5000), -generator.lognormal(3, 1, 5000), generator.uniform(0, 1, 5000)], 1
    )
    held[7, 0] = np.nan

    counts = counted(held)

    assert counts.shape == (3, BINS) == (3, len(bounds()) - 1)
    assert counts.sum(1).tolist() == [4999, 5000, 5000]
    for row, share in ((row, share) for row in range(3) for share in (0.05, 0.5, 0.95)):
        assert quantile(counts[row], share) == pytest.approx(np.nanquantile(held[:, row], share), rel=1 / 32)
    assert np.isnan(quantile(np.zeros(BINS, dtype=np.int64), 0.5))


def test_every_value_lies_in_its_bin() -> None:
    held = np.array([0.0, -0.0, 1.0, -1.0, 0.1, 5.5, -3e4, 2.0**-16, 2.0**-17, np.nextafter(1, 0)])

    for value in held:
        bin_ = int(counted(held[held == value][:1, None])[0].argmax())
        low, high = np.sort(np.abs(bounds()[bin_ : bin_ + 2])) if value else (0, 2.0**-16)
        assert low <= abs(value) <= high or abs(value) < 2.0**-16
    assert counted(np.array([[1e30], [-1e30]]))[0][[0, -1]].tolist() == [1, 1]
