"""Why a running stack does not serve: one cause with its fix, from what its objects, events and logs say."""
