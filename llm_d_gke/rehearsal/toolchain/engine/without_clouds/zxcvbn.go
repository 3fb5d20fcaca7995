// Package zxcvbn replaces an estimate of passwords' strength, whose dictionaries take most of the time in which Pulumi
// starts. Pulumi warns by it of a value of the configuration that looks like a secret and is not one.
package zxcvbn

import "math"

// Strength is how hard a word is to guess, in bits.
type Strength struct{ Entropy float64 }

// PasswordStrength counts every character of a word as taken by chance out of those that it has.
func PasswordStrength(word string, _ []string) Strength {
	characters := map[rune]bool{}
	for _, character := range word {
		characters[character] = true
	}
	if len(characters) < 2 {
		return Strength{}
	}
	return Strength{Entropy: float64(len(word)) * math.Log2(float64(len(characters)))}
}
