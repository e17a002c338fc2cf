"""Run named jobs at whole-second times."""

from heapline.heap import Heap


class Scheduler:
    """A clock and the jobs that wait for it."""

    def __init__(self, now: int = 0) -> None:
        self.now = now
        self.waiting = Heap()
        self.cancelled: set[str] = set()

    def at(self, time: int, name: str) -> None:
        """Plan a job for a time that is not past."""
        if time < self.now:
            raise ValueError("time is past")
        self.waiting.push((time, name, 0), time)

    def after(self, delay: int, name: str) -> None:
        """Plan a job for some seconds from now."""
        self.at(self.now + delay, name)

    def every(self, period: int, name: str) -> None:
        """Plan a job again and again, first after one period."""
        if period < 1:
            raise ValueError("period must be at least 1")
        self.waiting.push((self.now + period, name, period), self.now + period)

    def cancel(self, name: str) -> None:
        """Forget the planned runs of a job."""
        self.cancelled.add(name)

    def advance(self, seconds: int) -> list[tuple[int, str]]:
        """Move the clock and give the runs that came due, in order."""
        end = self.now + seconds
        runs = []
        while len(self.waiting) > 0 and self.waiting.peek()[0] <= end:
            time, name, period = self.waiting.pop()
            if name in self.cancelled:
                continue
            runs.append((time, name))
            if period > 0:
                self.waiting.push((time + period, name, period), time + period)
        self.now = end
        return runs

    def next_time(self) -> int | None:
        """Time of the next planned run, or None."""
        if len(self.waiting) == 0:
            return None
        return self.waiting.peek()[0]
