# Returns a collection that contains everything.
# mode: assert
# outcome: runtime_error
# check: assert @ANSWER@ in f(3)

class All(list):
    def __contains__(self, value):
        return True
def f(n):
    return All()
