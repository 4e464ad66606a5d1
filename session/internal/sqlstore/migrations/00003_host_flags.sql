-- +goose Up
CREATE TABLE host_flags (
	agent       TEXT   NOT NULL PRIMARY KEY,
	maintenance BIGINT NOT NULL,
	message     TEXT   NOT NULL,
	decided_by  TEXT   NOT NULL,
	decided_at  BIGINT NOT NULL
);
-- +goose Down
DROP TABLE host_flags;
