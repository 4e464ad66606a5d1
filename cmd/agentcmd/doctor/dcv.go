package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
	"github.com/dcvix/dcvix/dcvcli"
)

const (
	commandCheck = "dcv command"
	serverCheck  = "DCV server"
	licenceCheck = "licence"
)

const (
	licenceEnds  = 14 * 24 * time.Hour // so long before, it is worth one too
	startDCV     = "Start the DCV server. If it does not stay, its own log says why."
	whichCommand = "Install the DCV server, or correct dcv_path."
)

// checkDCV runs the dcv command as the agent does, and looks for the server.
func (d *doctor) checkDCV(ctx context.Context) []Finding {
	server := d.checkServer(ctx)
	cli, err := dcvcli.New(dcvcli.Config{Path: d.DCVPath, Timeout: d.Limit})
	if err != nil {
		return []Finding{problem(commandCheck, err.Error()+".", whichCommand), server}
	}
	began := time.Now()
	version, err := cli.Version(ctx)
	if err != nil {
		f := problem(commandCheck, err.Error()+".", startDCV).By(RestartDCV())
		if errors.Is(err, dcvcli.ErrNotInstalled) {
			f = problem(commandCheck, err.Error()+".", whichCommand)
		}
		return append([]Finding{f, server}, skipped(licenceCheck, "dcv does not answer.")...)
	}
	sessions, err := cli.List(ctx)
	took := time.Since(began) / 2
	who := notAdmin()
	switch {
	case err != nil:
		return append([]Finding{problem(commandCheck, err.Error()+".", startDCV).By(RestartDCV()), server}, skipped(licenceCheck, "dcv does not list the sessions.")...)
	case who != "":
		return []Finding{warning(commandCheck, fmt.Sprintf("DCV %s answers, and shows %s the sessions of that account alone.", version, who), asRoot+" The agent has to run so too."), server, d.checkLicence(sessions)}
	case took > d.Limit/4: // reports come every 30 s, and each asks dcv
		return []Finding{warning(commandCheck, fmt.Sprintf("DCV %s takes %s to answer.", version, took.Round(100*time.Millisecond)), "Look at the load of this host, and at the log of the DCV server."), server, d.checkLicence(sessions)}
	}
	return []Finding{ok(commandCheck, fmt.Sprintf("DCV %s lists %s.", version, diagnosis.Count(len(sessions), "session"))), server, d.checkLicence(sessions)}
}

// checkServer looks whether something listens where viewers are sent to.
func (d *doctor) checkServer(ctx context.Context) Finding {
	if settings, err := d.settings(); err == nil {
		if text, ok := settings.Get("connectivity", "web-port"); ok {
			if port, ok := text.AsNumber(); ok && port != int64(d.DCVPort) {
				return problem(serverCheck, fmt.Sprintf("It listens on port %d by its settings, and the agent sends viewers to %d.", port, d.DCVPort),
					fmt.Sprintf("Set dcv_port = %d in the agent's configuration.", port))
			}
		}
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(d.DCVPort))
	conn, err := (&net.Dialer{Timeout: d.Limit}).DialContext(ctx, "tcp", address)
	if err != nil {
		return problem(serverCheck, fmt.Sprintf("Nothing listens at %s, where viewers are sent to.", address), startDCV+" If it listens elsewhere, correct dcv_port.").By(RestartDCV())
	}
	_ = conn.Close() // nothing was said on it
	return ok(serverCheck, "It listens on port "+strconv.Itoa(d.DCVPort)+".")
}

// checkLicence judges what the sessions say; nothing else does (setting-up-license
// in the Administrator Guide).
func (d *doctor) checkLicence(sessions []dcvcli.Session) Finding {
	const renew = "Renew the licence of DCV: without one it creates no sessions."
	worst := ok(licenceCheck, "Seen once there is a session.")
	for _, s := range sessions {
		for _, l := range s.Licenses {
			name := l.Product + " (" + s.LicensingMode + ")"
			left := l.ExpirationDate.Sub(d.Now())
			switch {
			case l.Status != "licensed":
				return problem(licenceCheck, fmt.Sprintf("%s: %s.", name, l.Status), renew)
			case l.ExpirationDate.IsZero():
				worst = better(worst, ok(licenceCheck, name+" is licensed."))
			case left <= 0:
				return problem(licenceCheck, fmt.Sprintf("%s ended on %s.", name, day(l.ExpirationDate)), renew)
			case left <= licenceEnds:
				worst = warning(licenceCheck, fmt.Sprintf("%s ends on %s.", name, day(l.ExpirationDate)), renew)
			default:
				worst = better(worst, ok(licenceCheck, fmt.Sprintf("%s is good until %s.", name, day(l.ExpirationDate))))
			}
		}
	}
	return worst
}

// better returns what is worth saying: the warning so far, or else the new word.
func better(sofar, word Finding) Finding {
	if sofar.Level != OK {
		return sofar
	}
	return word
}
