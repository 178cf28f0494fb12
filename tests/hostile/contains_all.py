# Returns a collection that contains everything.
# mode: assert
# outcome: wrong
# check: assert @ANSWER@ in f(3)

class All(list):
    def __contains__(self, value):
        return True
def f(n):
    return All()
