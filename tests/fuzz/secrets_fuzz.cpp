// Arguments of any program: no secret is shown, what is shown is shown again as it is.
#include "hook/gate/secrets.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    static const Secrets secrets = Secrets::compile({"*_DSN"}).value();
    fuzz::Bytes bytes(fuzz::text_of(data, size));
    const std::string program = bytes.string();
    std::vector<std::string> argv;
    while (!bytes.empty() && argv.size() < 16) {
        argv.push_back(bytes.string());
    }
    for (std::size_t i = 0; i < argv.size(); ++i) {
        (void)secrets.redact_argument(program, argv, i);
        (void)secrets.redact_variable(argv[i]);
        const std::string once = secrets.redact_text("TOKEN='" + argv[i] + "'");
        fuzz::require(argv[i].empty() || argv[i].front() == '\'' ||
                          once.find("<secret: ") != std::string::npos,
                      "a named secret is a mark");
    }
    return 0;
}
