package agentclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// How often an agent looks whether to renew: what the director says within these
// limits, or else defaultLook; less a random tenth.
const (
	defaultLook = 12 * time.Hour
	minLook     = time.Second
	maxLook     = 24 * time.Hour
)

// lookEvery takes the interval from a director's answer; 0 leaves the one before.
func (a *Agent) lookEvery(seconds int) {
	if seconds <= 0 {
		return
	}
	seconds = min(seconds, int(maxLook/time.Second)) // before it can overflow
	a.lookEach.Store(int64(max(time.Duration(seconds)*time.Second, minLook)))
}

// renewLoop keeps the certificate fresh. It returns errEnrolAgain when that is
// past or refused, and else ctx's error when ctx ends.
func (a *Agent) renewLoop(ctx context.Context) error {
	said := "" // reason of the failures, logged once
	defer a.left("renew")
	for failures := 0; ; {
		a.heard("renew", maxLook)
		cert := a.pair.Load().Leaf
		now := a.cfg.Now()
		if !now.Before(cert.NotAfter) {
			return a.expired(ctx)
		}
		var err error
		if ca.ShouldRenew(now, cert) {
			err = a.ask(ctx, a.renew)
			if refusedWith(err, http.StatusUnauthorized) {
				return a.refused(ctx, "renew", err)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Wake up at the end of the certificate too, if nothing renews it.
		wake, cancel := context.WithTimeout(ctx, a.pair.Load().Leaf.NotAfter.Sub(now))
		if err != nil {
			failures++
			if why := reason(err); why != said {
				said = why
				a.cfg.Logger.WarnContext(ctx, "certificate not renewed, trying again",
					slog.String("reason", why), slog.Time("not_after", cert.NotAfter))
			}
			_ = retryAfter(wake, failures, maxRenewRetry)
		} else {
			failures, said = 0, ""
			// A fleet that was set up in one hour is not to renew in one second.
			look := time.Duration(a.lookEach.Load())
			_ = sleep(wake, spread(look, look/10))
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// renew asks for a new certificate once.
func (a *Agent) renew(ctx context.Context, d *director) error {
	body, err := json.Marshal(dcvix.RenewRequest{CSR: a.identity.csr})
	if err != nil {
		return fmt.Errorf("write the renewal: %w", err)
	}
	answer, err := d.post(ctx, dcvix.PathAgentRenew, body)
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		return answer.refusal()
	}
	g, err := parseRenewal(answer.body)
	if err != nil {
		return err
	}
	if err := a.checkOwn(g.chain, a.anchor.Load()); err != nil {
		return fmt.Errorf("the director's answer cannot be used: %w", err)
	}
	if err := ca.WriteFile(a.path(CertFile), ca.EncodePEM(g.chain...), 0o644); err != nil {
		return err
	}
	a.lookEvery(g.look)
	a.use(g.chain)
	a.cfg.Logger.InfoContext(ctx, "certificate renewed", slog.Time("not_after", g.chain[0].NotAfter),
		slog.String("serial", g.chain[0].SerialNumber.Text(16)))
	return nil
}

func parseRenewal(body []byte) (grant, error) {
	var r dcvix.RenewResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return grant{}, errors.New("the answer to the renewal is not the JSON of a director")
	}
	chain, err := ca.ParseCerts([]byte(r.Certificate))
	if err != nil {
		return grant{}, fmt.Errorf("the certificate in the director's answer: %w", err)
	}
	return grant{chain: chain, look: r.RenewalIntervalSeconds}, nil
}

// expired and refused leave the enrolled state.
func (a *Agent) expired(ctx context.Context) error {
	a.cfg.Logger.WarnContext(ctx, "the agent's certificate ran out, registering again")
	a.move(ctx, Expired)
	return errEnrolAgain
}

func (a *Agent) refused(ctx context.Context, doing string, err error) error {
	a.cfg.Logger.WarnContext(ctx, "the director does not know this agent any more, registering again",
		slog.String("doing", doing), slog.String("reason", reason(err)))
	a.move(ctx, Unenrolled)
	return errEnrolAgain
}
