package backup

// ownAs does nothing: a file has the access list that it was made with.
func ownAs(string, string, string) error { return nil }
