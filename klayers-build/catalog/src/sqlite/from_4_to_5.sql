-- Records may be adopted from another collection, which does not give the content of its layers,
-- and does not always give the time of a build. Columns are altered in place, so that triggers and
-- indexes survive.
ALTER TABLE builds ALTER COLUMN content_digest DROP NOT NULL;
ALTER TABLE builds ALTER COLUMN code_size DROP NOT NULL;
ALTER TABLE builds ALTER COLUMN unzipped_size DROP NOT NULL;
ALTER TABLE builds ALTER COLUMN created_at DROP NOT NULL;
ALTER TABLE builds ADD COLUMN adopted_at TEXT
    CHECK ((adopted_at IS NULL) = (content_digest IS NOT NULL))
    CHECK ((content_digest IS NULL) = (code_size IS NULL))
    CHECK ((content_digest IS NULL) = (unzipped_size IS NULL))
    CHECK (adopted_at IS NULL OR wheels_hash IS NULL)
    CHECK (adopted_at IS NOT NULL OR created_at IS NOT NULL);

ALTER TABLE layer_versions ALTER COLUMN created_at DROP NOT NULL;

CREATE INDEX adopted_builds ON builds (package, target) WHERE content_digest IS NULL;

CREATE INDEX builds_by_adoption ON builds (adopted_at) WHERE adopted_at IS NOT NULL;
