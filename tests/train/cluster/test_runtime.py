import os
import signal

from train.cluster.runtime import spread


class Squares:
    """Squares, but for a number that it refuses; at the first 3 its process ends."""

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, number):
        if number == 3 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 5:
            raise ValueError("five is refused")
        return number**2, os.getcwd()


def test_every_item_is_worked_on_though_processes_end(ray_runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []

    def numbers():
        for number in range(8):
            asked.append(number)
            yield number

    found = {}
    for number, result in spread(Squares(tmp_path / "dead"), numbers(), at_once=2):
        found[number] = result
        assert len(asked) <= len(found) + 2  # asked for as there is room
    assert (tmp_path / "dead").exists()
    refused = found.pop(5)
    assert isinstance(refused, ValueError) and str(refused) == "five is refused"
    assert found == {n: (n**2, str(tmp_path)) for n in range(8) if n != 5}
