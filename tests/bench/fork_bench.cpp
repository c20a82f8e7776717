// Filled by the next change.
int main() { return 0; }
