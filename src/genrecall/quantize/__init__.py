"""CQ-SID: vectors to semantic cluster IDs, cluster size control, health figures."""
