#!/bin/sh
# Who may schedule whom how: all that permissions.c asks. Spec 30 sections 8.1 and 8.2 (S-57..S-63, S-66), 32 D-1 and D-2.
exec 2>&1
/permissions
