"""Sources of sessions: the published data set, files and the simulator; nothing here knows a warehouse."""
