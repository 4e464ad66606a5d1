package dcvclitest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// getScreenshot prints or writes a picture of the session. The keys of its JSON
// were seen in use; what the real command does without --json and --output is not
// known, so the fake refuses that.
func getScreenshot(s *State, h host, a arguments) ([]byte, error) {
	session, err := h.named(s, a)
	if err != nil {
		return nil, err
	}
	format, err := pictureFormat(a)
	if err != nil {
		return nil, err
	}
	size, picture := picture(*session, a.has("primary"))
	if size, err = shrunk(size, a); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := encode(&out, format, size, picture); err != nil {
		return nil, err
	}
	if output := a.options["output"]; output != "" {
		return nil, os.WriteFile(output, out.Bytes(), 0o600)
	}
	if !a.has("json") {
		return nil, errors.New("get-screenshot needs --json or --output here")
	}
	return printJSON(struct {
		Format string     `json:"format"`
		Base64 string     `json:"base64"`
		Extra  *extraJSON `json:"fake-unknown-key,omitempty"`
	}{format, base64.StdEncoding.EncodeToString(out.Bytes()), h.extra()})
}

// pictureFormat returns "png" or "jpeg". --format wins over the name of the file
// (Administrator Guide, "Getting session screenshots").
func pictureFormat(a arguments) (string, error) {
	name := a.options["format"]
	if name == "" {
		name = strings.TrimPrefix(filepath.Ext(a.options["output"]), ".")
	}
	switch strings.ToLower(name) {
	case "", "png":
		return "png", nil
	case "jpeg", "jpg":
		return "jpeg", nil
	default:
		return "", fmt.Errorf("format %.40q is not JPEG or PNG", name)
	}
}

// picture returns the size of the heads together, or of the first alone, and
// where each is in it.
func picture(s Session, primary bool) (image.Point, []image.Rectangle) {
	heads := s.layout()
	if heads == nil {
		heads = []Display{{Width: 1024, Height: 768}}
	}
	if primary {
		heads = heads[:1]
	}
	var all image.Rectangle
	for _, head := range heads {
		all = all.Union(head.bounds())
	}
	var places []image.Rectangle
	for _, head := range heads {
		places = append(places, head.bounds().Sub(all.Min))
	}
	return all.Size(), places
}

// shrunk returns the largest size of the same shape within --max-width and
// --max-height.
func shrunk(size image.Point, a arguments) (image.Point, error) {
	within := func(name string, of *int, other *int) error {
		text, ok := a.options[name]
		if !ok {
			return nil
		}
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			return fmt.Errorf("--%s %.40q is not a number of pixels", name, text)
		}
		if *of > limit {
			*of, *other = limit, max(1, *other*limit / *of)
		}
		return nil
	}
	err := errors.Join(within("max-width", &size.X, &size.Y), within("max-height", &size.Y, &size.X))
	return size, err
}

// encode draws every head as a flat surface.
func encode(out *bytes.Buffer, format string, size image.Point, heads []image.Rectangle) error {
	const most = 64 << 20 // pixels; heads may be far apart
	if size.X*size.Y > most {
		return errors.New("the picture is too large for the fake: --max-width makes it smaller")
	}
	var all image.Rectangle
	for _, head := range heads {
		all = all.Union(head)
	}
	canvas := image.NewPaletted(image.Rectangle{Max: size}, color.Palette{
		color.Black, color.RGBA{0x2a, 0x4d, 0x69, 0xff}, color.RGBA{0x4b, 0x86, 0xb4, 0xff},
	})
	for i, head := range heads {
		scaled := image.Rect(head.Min.X*size.X/all.Dx(), head.Min.Y*size.Y/all.Dy(), head.Max.X*size.X/all.Dx(), head.Max.Y*size.Y/all.Dy())
		draw.Draw(canvas, scaled, image.NewUniform(canvas.Palette[1+i%2]), image.Point{}, draw.Src)
	}
	if format == "jpeg" {
		return jpeg.Encode(out, canvas, nil)
	}
	return png.Encode(out, canvas)
}
