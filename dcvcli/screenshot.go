package dcvcli

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The formats of a [Screenshot].
const (
	PNG  = "png"
	JPEG = "jpeg"
)

// ScreenshotOptions say which picture to make. The zero value is one of all
// displays in their full size, in the server's own format.
type ScreenshotOptions struct {
	MaxWidth  int    // in pixels; 0 means no limit. Width and height keep their ratio when one of them has a limit
	MaxHeight int    // in pixels; 0 means no limit
	Format    string // [PNG] or [JPEG]; "" leaves it to the server
	Primary   bool   // the main display alone
}

// A Screenshot is a picture of a session.
type Screenshot struct {
	Format string // in lower case, as the server says; [PNG] or [JPEG]
	Data   []byte // the file; nobody looked whether it is a picture
}

// maxScreenshot is how many bytes get-screenshot may print, in base64: pictures
// of four displays of the largest size seldom have half of that.
const maxScreenshot = 32 << 20

// Screenshot makes a picture of a session (Administrator Guide, "Getting a session
// screenshot"); servers can since 2021.0. What the user sees is theirs: ask for
// it with their leave. It returns an error that wraps [ErrInvalid] for options
// that cannot be, [ErrNotFound] if there is no session of that id, and
// [ErrUnknownForm] when it cannot read what the command printed or a [Command]
// printed more than 32 MiB: set a limit then.
func (c *CLI) Screenshot(ctx context.Context, id string, opts ScreenshotOptions) (Screenshot, error) {
	if err := checkID(id); err != nil {
		return Screenshot{}, err
	}
	options, err := opts.args()
	if err != nil {
		return Screenshot{}, err
	}
	args := append([]string{"get-screenshot"}, options...)
	out, err := c.run(ctx, append(args, "--json", id)...)
	if err != nil {
		return Screenshot{}, c.explain(ctx, id, err)
	}
	return parseScreenshot(out)
}

func (o ScreenshotOptions) args() ([]string, error) {
	const most = MaxDisplays * MaxWidth // of all displays in a row
	if o.MaxWidth < 0 || o.MaxWidth > most || o.MaxHeight < 0 || o.MaxHeight > most {
		return nil, fmt.Errorf("screenshot of %dx%d: %w: a side has 0 to %d pixels", o.MaxWidth, o.MaxHeight, ErrInvalid, most)
	}
	var args []string
	if o.MaxWidth > 0 {
		args = append(args, "--max-width="+strconv.Itoa(o.MaxWidth))
	}
	if o.MaxHeight > 0 {
		args = append(args, "--max-height="+strconv.Itoa(o.MaxHeight))
	}
	switch o.Format {
	case "":
	case PNG, JPEG:
		args = append(args, "--format="+strings.ToUpper(o.Format))
	default:
		return nil, fmt.Errorf("screenshot format %.40q: %w: it is %q or %q", o.Format, ErrInvalid, PNG, JPEG)
	}
	if o.Primary {
		args = append(args, "--primary")
	}
	return args, nil
}

var formatForm = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

// parseScreenshot reads the JSON of get-screenshot. The guide says that the
// picture is in base64; both keys were seen in use.
func parseScreenshot(out []byte) (Screenshot, error) {
	var shot struct {
		Format string `json:"format"`
		Base64 string `json:"base64"`
	}
	if err := json.Unmarshal(out, &shot); err != nil {
		return Screenshot{}, fmt.Errorf("dcv get-screenshot: %w: %w", ErrUnknownForm, err)
	}
	format := strings.ToLower(shot.Format)
	data, err := base64.StdEncoding.DecodeString(shot.Base64)
	switch {
	case err != nil:
		return Screenshot{}, fmt.Errorf("dcv get-screenshot: %w: %w", ErrUnknownForm, err)
	case len(data) == 0:
		return Screenshot{}, fmt.Errorf("dcv get-screenshot: %w: no picture", ErrUnknownForm)
	case !formatForm.MatchString(format):
		return Screenshot{}, fmt.Errorf("dcv get-screenshot: %w: format %.40q", ErrUnknownForm, format)
	}
	return Screenshot{Format: format, Data: data}, nil
}
