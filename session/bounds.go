package session

import (
	"strings"

	"github.com/dcvix/dcvix"
)

// Bounds of what is kept of what a host says of itself.
const (
	maxTags     = 64
	maxProblems = 32
	maxGPUs     = 64
	maxProducts = 16
	maxWord     = 200  // bytes
	maxSentence = 1000 // bytes
)

// boundedGPUs returns the first of the cards, with names that are short lines.
func boundedGPUs(reported []dcvix.GPU) []dcvix.GPU {
	if len(reported) == 0 {
		return nil
	}
	gpus := append([]dcvix.GPU(nil), reported[:min(len(reported), maxGPUs)]...)
	for i := range gpus {
		gpus[i].Model, gpus[i].Driver = boundedWord(gpus[i].Model), boundedWord(gpus[i].Driver)
	}
	return gpus
}

// boundedLicence is boundedGPUs of a licence.
func boundedLicence(reported *dcvix.Licence) *dcvix.Licence {
	if reported == nil {
		return nil
	}
	kept := &dcvix.Licence{Mode: boundedWord(reported.Mode)}
	for _, p := range reported.Products[:min(len(reported.Products), maxProducts)] {
		p.Product, p.Status = boundedWord(p.Product), boundedWord(p.Status)
		kept.Products = append(kept.Products, p)
	}
	return kept
}

// boundedLines returns the first of many texts, each as one line of so many bytes.
func boundedLines(reported []string, most, size int) []string {
	if len(reported) == 0 {
		return nil
	}
	kept := make([]string, 0, min(len(reported), most))
	for _, text := range reported[:min(len(reported), most)] {
		kept = append(kept, boundedLine(text, size))
	}
	return kept
}

// boundedWord returns foreign text as one line of at most maxWord bytes.
func boundedWord(text string) string { return boundedLine(text, maxWord) }

func boundedLine(text string, size int) string {
	text = dcvix.OneLine(text, size)
	if len(text) > size {
		text = strings.ToValidUTF8(text[:size], "")
	}
	return text
}
