-- Why a model is paused, for the bots that ask for its work.
alter table models add column pause_reason text check (length(pause_reason) <= 500);
