-- +goose Up
CREATE TABLE denials (
	id        TEXT   NOT NULL PRIMARY KEY,
	key_hash  TEXT   NOT NULL,
	denied_at BIGINT NOT NULL
);
-- +goose Down
DROP TABLE denials;
