package dcvix_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
)

func TestTimeReadsWhatBothGenerationsWrite(t *testing.T) {
	at := time.Date(2026, 3, 5, 8, 41, 12, 0, time.UTC)
	tests := map[string]struct {
		json string
		want time.Time
		bad  bool
	}{
		"without a fraction":            {json: `"2026-03-05T08:41:12Z"`, want: at},
		"with microseconds":             {json: `"2026-03-05T08:41:12.004518Z"`, want: at.Add(4518 * time.Microsecond)},
		"with nanoseconds":              {json: `"2026-03-05T08:41:12.000000001Z"`, want: at.Add(1)},
		"in another zone":               {json: `"2026-03-05T09:41:12+01:00"`, want: at},
		"the empty string means never":  {json: `""`},
		"null means never":              {json: `null`},
		"the zero time of 0.1 is never": {json: `"0001-01-01T00:00:00Z"`},
		"the zero time in another zone": {json: `"0001-01-01T01:00:00+01:00"`},
		"a date alone":                  {json: `"2026-03-05"`, bad: true},
		"no zone":                       {json: `"2026-03-05T08:41:12"`, bad: true},
		"a word":                        {json: `"never"`, bad: true},
		"a number":                      {json: `1772700072`, bad: true},
		"an object":                     {json: `{}`, bad: true},
		"a 13th month":                  {json: `"2026-13-05T08:41:12Z"`, bad: true},
		"the year 10000 in UTC":         {json: `"9999-12-31T23:59:59-23:59"`, bad: true},
		"before the year 0 in UTC":      {json: `"0000-01-01T00:00:00+23:59"`, bad: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := dcvix.Time{Time: at.Add(time.Hour)} // overwritten, also by never
			err := json.Unmarshal([]byte(tt.json), &got)
			if tt.bad {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.True(t, tt.want.Equal(got.Time), got)
			assert.Equal(t, tt.want.IsZero(), got.IsZero())
		})
	}
}

func TestTimeWritesUTCAndNullForNever(t *testing.T) {
	zone := time.FixedZone("", 3600)
	tests := map[string]struct {
		at   time.Time
		want string
	}{
		"never":         {time.Time{}, `null`},
		"whole seconds": {time.Date(2026, 3, 5, 9, 41, 12, 0, zone), `"2026-03-05T08:41:12Z"`},
		"a fraction":    {time.Date(2026, 3, 5, 9, 41, 12, 4_518_000, zone), `"2026-03-05T08:41:12.004518Z"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(dcvix.Time{Time: tt.at})
			require.NoError(t, err)
			assert.Equal(t, tt.want, string(got))
		})
	}
	_, err := json.Marshal(dcvix.Time{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)})
	assert.ErrorContains(t, err, "RFC 3339 has years 0 to 9999", "nobody could read it")
}

func FuzzTime(f *testing.F) {
	for _, seed := range []string{
		`null`, `""`, `"2026-03-05T08:41:12Z"`, `"2026-03-05T08:41:12,5+05:30"`, `"0001-01-01T00:00:00Z"`,
		`"0000-01-01T00:00:00+23:59"`, `"9999-12-31T23:59:59-23:59"`, `1`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var read dcvix.Time
		if json.Unmarshal(data, &read) != nil {
			return
		}
		written, err := json.Marshal(read)
		require.NoError(t, err)
		var again dcvix.Time
		require.NoError(t, json.Unmarshal(written, &again), "%s", written)
		require.True(t, read.Equal(again.Time), "%s became %s", read, again)
	})
}
