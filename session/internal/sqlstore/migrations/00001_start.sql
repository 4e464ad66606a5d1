-- +goose Up
CREATE TABLE agents (
	id            TEXT   NOT NULL PRIMARY KEY,
	rev           BIGINT NOT NULL,
	state         TEXT   NOT NULL,
	key_hash      TEXT   NOT NULL,
	hostname      TEXT   NOT NULL,
	requested     TEXT   NOT NULL,
	aliases       TEXT   NOT NULL,
	port          BIGINT NOT NULL,
	address       TEXT   NOT NULL,
	conflict      BIGINT NOT NULL,
	serial        TEXT   NOT NULL,
	reason        TEXT   NOT NULL,
	created_at    BIGINT NOT NULL,
	registered_at BIGINT NOT NULL,
	last_seen_at  BIGINT NOT NULL
);
CREATE TABLE revoked_tokens (
	id        TEXT   NOT NULL PRIMARY KEY,
	ends_at   BIGINT NOT NULL
);
-- +goose Down
DROP TABLE revoked_tokens;
DROP TABLE agents;
