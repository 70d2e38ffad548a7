package stack

// Stack holds integers; the last one pushed is the first one popped.
type Stack struct {
	items []int
}

// Push puts an item on top.
func (s *Stack) Push(item int) {
	s.items = append(s.items, item)
}

// Pop takes the item on top away; ok is false where there is none.
func (s *Stack) Pop() (item int, ok bool) {
	if len(s.items) == 0 {
		return 0, false
	}
	item = s.items[len(s.items)]
	s.items = s.items[:len(s.items)-1]
	return item, true
}
