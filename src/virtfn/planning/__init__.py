"""From differences to ordered steps and their rollback. Pure."""
