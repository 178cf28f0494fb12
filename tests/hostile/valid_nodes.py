# Works on lists of nodes that the checks build: valid.
# mode: assert
# outcome: pass
# check: class ListNode:
#       def __init__(self, val=0, next=None):
#           self.val, self.next = val, next
#   head = None
#   for n in range(3000):
#       head = ListNode(n, head)
#   head, seen = Solution().reverse(head), []
#   while head:
#       seen.append(head.val)
#       head = head.next
#   assert seen == list(range(3000))

class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
class Solution:
    def reverse(self, head):
        before = None
        while head:
            head.next, before, head = before, head, head.next
        return before
