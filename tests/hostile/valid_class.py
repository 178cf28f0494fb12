# Is a class with methods and state: valid.
# mode: assert
# outcome: pass
# check: counter = Counter2(3)
#   assert counter.add(1).value == 4
#   assert len(counter) == 4
#   counter.value = 7
#   assert counter.add(1).value == 8

class Counter2:
    def __init__(self, start=0):
        self.value = start
    def add(self, n):
        self.value += n
        return self
    def __len__(self):
        return self.value
