# spec 21 X-20: never run. The kernel is told to take /bin/false as its init, which ends with 1.
