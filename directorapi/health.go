package directorapi

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
)

const pathOpenAPI = "/v1/openapi.yaml"

//go:embed openapi.yaml
var openAPI []byte

func (s *Server) health(c echo.Context) error {
	return ok(c, dcvix.Health{Status: "healthy", Protocol: dcvix.ProtocolVersion, Version: dcvix.Version})
}

func (s *Server) authHealth(c echo.Context) error {
	return ok(c, dcvix.Health{Status: "healthy"})
}

func (s *Server) certificate(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/x-pem-file", s.cfg.CA.PEM())
}

func (s *Server) openAPI(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", openAPI)
}
