//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is for a machine that is ten times slower, and busy.
const patience = 3 * time.Minute

// A screen is an X server in memory, with a keyboard and a mouse of its own.
type screen struct {
	t       *testing.T
	display string
	window  string // that the keys go to
}

// newScreen starts one. It skips the test, or with CI=true fails it, where what it
// needs is missing.
func newScreen(t *testing.T) *screen {
	t.Helper()
	for _, tool := range []string{"Xvfb", "xdotool", "import"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: run this test with \"make test\", which brings it", tool)
			}
			t.Skipf("%s is missing: \"make test\" brings it", tool)
		}
	}
	number, theirs, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = number.Close() })
	server := exec.CommandContext(t.Context(), "Xvfb", "-displayfd", "3", "-screen", "0", "800x800x24", "-nolisten", "tcp", "-noreset")
	server.ExtraFiles, server.Stderr = []*os.File{theirs}, t.Output()
	require.NoError(t, server.Start())
	require.NoError(t, theirs.Close())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.NoError(t, number.SetReadDeadline(time.Now().Add(patience)))
	said, err := bufio.NewReader(number).ReadString('\n')
	require.NoError(t, err, "Xvfb does not say which screen it is")
	return &screen{t: t, display: ":" + strings.TrimSpace(said)}
}

// do runs xdotool and returns what it says.
func (s *screen) do(args ...string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), "xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.display)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("xdotool %s: %w: %s", strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(out)), err
}

// focus waits for a window with that title and gives it the keyboard.
func (s *screen) focus(title string, alive func() error) {
	s.t.Helper()
	s.until("a window "+title+" has the keyboard", alive, func() bool {
		id, err := s.do("search", "--onlyvisible", "--name", title)
		if err != nil || id == "" {
			return false
		}
		s.window, _, _ = strings.Cut(id, "\n")
		if _, err := s.do("windowfocus", s.window); err != nil {
			return false
		}
		now, err := s.do("getwindowfocus")
		return err == nil && now == s.window
	})
}

// until waits until something is so, and fails when the program has ended first.
func (s *screen) until(what string, alive func() error, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(50 * time.Millisecond) {
		err := alive()
		if err == nil && time.Now().After(end) {
			err = errors.New("it took too long")
		}
		if err != nil {
			title, _ := s.do("getwindowname", s.window)
			s.keep("failed")
			s.t.Fatalf("%s: %v; the title of the window is %q", what, err, title)
		}
	}
}

// titled waits for the title of the window.
func (s *screen) titled(title string, alive func() error) {
	s.t.Helper()
	s.until("the window is titled "+title, alive, func() bool {
		now, err := s.do("getwindowname", s.window)
		return err == nil && now == title
	})
}

// press presses keys, such as Return or ctrl+l, one after the other.
func (s *screen) press(keys ...string) {
	s.t.Helper()
	_, err := s.do(append([]string{"key", "--delay", "40"}, keys...)...)
	require.NoError(s.t, err)
}

// enter types a text.
func (s *screen) enter(text string) {
	s.t.Helper()
	_, err := s.do("type", "--delay", "40", text)
	require.NoError(s.t, err)
}

// click clicks on something that changes its colour under the mouse, once it has:
// until then the program does not know where the mouse is.
func (s *screen) click(what string, at image.Point, alive func() error) {
	s.t.Helper()
	before := s.picture().At(at.X, at.Y)
	_, err := s.do("mousemove", strconv.Itoa(at.X), strconv.Itoa(at.Y))
	require.NoError(s.t, err)
	s.until(what+" notices the mouse", alive, func() bool { return s.picture().At(at.X, at.Y) != before })
	_, err = s.do("click", "1")
	require.NoError(s.t, err)
}

// picture is the whole screen now.
func (s *screen) picture() image.Image {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "import", "-window", "root", "png:-")
	cmd.Env = append(os.Environ(), "DISPLAY="+s.display)
	out, err := cmd.Output()
	require.NoError(s.t, err, "import cannot take a picture")
	p, err := png.Decode(bytes.NewReader(out))
	require.NoError(s.t, err)
	return p
}

// shows waits until a colour is seen in a part of the screen, and returns where.
func (s *screen) shows(what string, c color.RGBA, in image.Rectangle, alive func() error) (at image.Point) {
	s.t.Helper()
	s.until(what+" is seen", alive, func() (seen bool) {
		at, seen = sees(s.picture(), c, in)
		return seen
	})
	return at
}

// sees returns the first dot of a colour in a part of a picture.
func sees(p image.Image, c color.RGBA, in image.Rectangle) (at image.Point, seen bool) {
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if color.RGBAModel.Convert(p.At(x, y)) == c {
				return image.Pt(x, y), true
			}
		}
	}
	return at, false
}

// place is where the window is on the screen.
func (s *screen) place() image.Rectangle {
	s.t.Helper()
	said, err := s.do("getwindowgeometry", "--shell", s.window)
	require.NoError(s.t, err)
	values := map[string]int{}
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name], _ = strconv.Atoi(value)
	}
	return image.Rect(0, 0, values["WIDTH"], values["HEIGHT"]).Add(image.Pt(values["X"], values["Y"]))
}

// A cursor that blinks, and no more, may differ between two pictures of the same.
const cursorDots = 120

// stillPictures is how many pictures in a row show that nothing moves.
const stillPictures = 3

// keep writes a picture of the window into the documentation's pictures, when they
// are made anew, else beside the test's files, once nothing moves any more.
func (s *screen) keep(name string) {
	s.t.Helper()
	folder := s.t.ArtifactDir()
	if os.Getenv("DCVIX_IMAGES") != "" && name != "failed" {
		folder = filepath.Join("..", "..", "docs", "images")
	}
	before, same := s.picture(), 0
	for end := time.Now().Add(patience); same < stillPictures && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		now := s.picture()
		if same++; differing(before, now) > cursorDots {
			same = 0
		}
		before = now
	}
	whole, ok := before.(interface {
		SubImage(image.Rectangle) image.Image
	})
	require.True(s.t, ok)
	var file bytes.Buffer
	require.NoError(s.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, whole.SubImage(s.place())))
	require.NoError(s.t, os.WriteFile(filepath.Join(folder, name+".png"), file.Bytes(), 0o600))
}

// differing counts the dots that two pictures of the same size do not share.
func differing(a, b image.Image) (dots int) {
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				dots++
			}
		}
	}
	return dots
}
