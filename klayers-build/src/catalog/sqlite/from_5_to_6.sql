-- When a publication was last under way: whoever settles it waits until its version cannot appear any
-- more.
ALTER TABLE intents ADD COLUMN attempted_at TEXT;
