"""Damaged files end in a picture or in one line, soon and in little memory."""

from tests.images import mutated_files


def test_two_thousand_damaged_files_are_read_or_refused(tmp_path):
    outcomes, slowest = mutated_files.try_all(2000, seed=0, folder=tmp_path)
    assert set(outcomes) == {"read", "refused"}, outcomes
    assert min(outcomes.values()) > 100  # neither everything nor nothing is damaged
    assert slowest[0] < mutated_files.SLOWEST
