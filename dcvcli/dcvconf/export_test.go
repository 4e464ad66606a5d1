package dcvconf

// GetIn and SetIn work on a text, without a disk.
func GetIn(text, section, key string) (Value, bool) { return parse(text).get(section, key) }

func SetIn(text, section, key string, v Value) string {
	d := parse(text)
	d.set(section, key, v)
	return d.String()
}
