# Returns an object that notes what it is asked for.
# mode: assert
# outcome: wrong
# check: assert @ANSWER@ in f(3)

class Notes:
    seen = []
    def __contains__(self, value):
        self.seen.append(value)
        return True
    def __iter__(self):
        return iter(self.seen)
def f(n):
    return Notes()
