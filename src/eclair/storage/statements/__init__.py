"""Every statement that touches a table: functions on an open connection, a file for each matter."""
