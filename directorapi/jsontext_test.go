package directorapi_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi"
)

// TestServersAreWrittenAsJSON fills servers at random, each of their fields, also
// those that are yet to come, and compares what lists write with encoding/json.
func TestServersAreWrittenAsJSON(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 3000 {
		var s dcvix.Server
		randomly(t, rng, reflect.ValueOf(&s).Elem())
		if s.Sessions == nil {
			s.Sessions = []dcvix.Session{} // as hosts have it
		}
		want, err := json.Marshal(s)
		require.NoError(t, err)
		got, err := directorapi.ServerText(&s)
		require.NoError(t, err)
		require.Equal(t, string(want), got)
	}
}

// randomly fills a value: a third of what it is made of is zero.
func randomly(t *testing.T, rng *rand.Rand, v reflect.Value) {
	t.Helper()
	_, moment := reflect.TypeAssert[dcvix.Time](v)
	if rng.IntN(3) == 0 && (moment || v.Kind() != reflect.Struct) {
		return
	}
	if moment {
		v.Set(reflect.ValueOf(dcvix.Time{Time: pick(rng, times).Add(time.Duration(rng.Int64N(1e18)))}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(rng, texts) + pick(rng, texts))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(rng.Int64() - math.MaxInt64/2)
	case reflect.Uint64:
		v.SetUint(rng.Uint64())
	case reflect.Float64:
		v.SetFloat(pick(rng, figures) * (1 - rng.Float64()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(4), 4))
		for i := range v.Len() {
			randomly(t, rng, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomly(t, rng, v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			randomly(t, rng, field)
		}
	default:
		t.Fatalf("%s is of a kind that this test cannot fill", v.Type())
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

var (
	texts   = []string{"", "ws1.lab", "~", "\x7f", "\x00", "\"", "\\", "/", "<", ">", "&", "é", "\u2028", "\xff", "日本", "{", "}", "[", ",", "\t\n"}
	figures = []float64{1, -1, 100, 1e-6, 2e-6, -1e-7, 1e21, 2e21, 1e300, math.SmallestNonzeroFloat64, math.Copysign(0, -1), math.MaxFloat64}
	times   = []time.Time{time.Unix(0, 0), time.Unix(0, 0).UTC(), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 12, 31, 23, 0, 0, 0, time.UTC), time.Date(9900, 1, 1, 0, 0, 0, 0, time.FixedZone("", -3600))}
)

func TestWhatJSONHasNoFormForIsAnError(t *testing.T) {
	for name, s := range map[string]dcvix.Server{
		"no number":      {Stats: dcvix.Stats{Load1: math.NaN()}},
		"infinite":       {Stats: dcvix.Stats{CPUUsage: math.Inf(-1)}},
		"the year 10000": {LastSeen: dcvix.Time{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"the year -1":    {LastSeen: dcvix.Time{Time: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		_, err := directorapi.ServerText(&s)
		assert.Error(t, err, name)
	}
}
