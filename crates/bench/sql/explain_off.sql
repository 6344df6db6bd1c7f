-- Has the server's statements explained no longer.
alter role muster_app reset all
