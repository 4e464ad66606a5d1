package words

// Text returns all that is said in a language.
func Text(language string) map[Key]string { return languages()[language] }
