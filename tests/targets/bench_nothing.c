// What the benchmarks exec: ends at once.
int main(void) {
    return 0;
}
