// The man page.
#include <apps/joinleaf/config.h>
#include <apps/joinleaf/help.h>
#include <apps/joinleaf/manual.h>
#include <fmt/format.h>

#include <sstream>
#include <string_view>

namespace joinleaf::app {
namespace {

/// As it is, whatever man(7) means by it.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out;
}

/// Lines that are not to be filled.
std::string as_written(std::string_view text) {
    std::istringstream lines{std::string(text)};
    std::string out = ".PP\n.nf\n";
    for (std::string line; std::getline(lines, line);) out += "\\&" + escaped(line) + "\n";
    return out + ".fi\n";
}

std::string usage_of(const CLI::App& app) {
    const auto* const formatter = dynamic_cast<const HelpFormatter*>(app.get_formatter().get());
    return formatter == nullptr ? app.get_name() : formatter->usage();
}

std::string options_of(const CLI::App& app) {
    std::string text;
    std::string group;
    for (const auto* option : app.get_options()) {
        if (option->get_group().empty()) continue;  // explained by the words below
        if (option->get_group() != group) {
            group = option->get_group();
            text += fmt::format(".SS {}\n", escaped(group));
        }
        text += fmt::format(".TP\n\\fB{}\\fR {}\n\\&{}\n", escaped(option->get_name(false, true)),
                            escaped(option->get_option_text()), escaped(option->get_description()));
    }
    return text;
}

constexpr std::string_view kEnd = R"(.SH CONFIGURATION FILE
.PP
The file of \fB\-\-config\fR is TOML. Its keys are the long names of the command's options, without
dashes and without sections: an option that can be given several times is a list, a switch is true or
false. The key \fBcommand\fR says which command the file is for, and has
\fBjoinleaf \-\-config\fR \fIFILE\fR run it. What is typed wins over the file. All that is wrong with a
file is told at once, and \fB\-\-print\-config\fR shows what is in force.
.SH SIGNALS
.TP
\fBSIGINT\fR, \fBSIGTERM\fR
end it in good order: the groups are left, the leaves are told, and what has arrived is written. A
second one ends it at once.
.TP
\fBSIGHUP\fR
has a root, leaf or repair server read its file again, and its policy and TLS files, also without a
file. With an error nothing changes; else groups, sources, rates, invitations, policy and TLS files
follow the file, and what needs a restart is named. Where there is nothing to read it changes
nothing. When the terminal is closed that it was started on, the program ends as by SIGTERM.
.TP
\fBSIGUSR1\fR
has a root, leaf or repair server write what \fB\-\-record\fR remembers to a file. Without
\fB\-\-record\fR nothing happens.
.SH EXIT STATUS
.TP
.B 0
done; also after SIGINT or SIGTERM
.TP
.B 1
it failed: one line on standard error says what, and how to cure it. Messages of a feed that are
missing are no failure, unless \fB\-\-on\-gap stop\fR makes a gap one.
.TP
.B 2
wrong use of the command line, likewise; of a configuration file a line for each error
.SH FILES
.TP
\fI/etc/joinleaf/NAME.toml\fR
what the service \fBjoinleaf@NAME\fR runs
.TP
\fI/var/lib/joinleaf/NAME.state\fR
what that service has joined, for the start after a crash
)";

}  // namespace

std::string man_page(CLI::App& app) {
    std::string text = fmt::format(
        ".TH JOINLEAF 1 \"\" \"joinleaf {}\" \"User Commands\"\n"
        ".SH NAME\njoinleaf \\- multipoint sockets over a network card that the kernel does not "
        "touch\n.SH SYNOPSIS\n",
        JOINLEAF_VERSION);
    const auto commands = app.get_subcommands([](CLI::App*) { return true; });
    for (const auto* command : commands) text += as_written(usage_of(*command));
    text += fmt::format(".SH DESCRIPTION\n.PP\n{}\n{}{}", escaped(app.get_description()),
                        as_written(app.get_footer()), options_of(app));
    for (const auto* command : commands) {
        text += fmt::format(".SH COMMAND {}\n.PP\n\\&{}\n{}{}{}", escaped(command->get_name()),
                            escaped(command->get_description()), as_written(usage_of(*command)),
                            options_of(*command), as_written(command->get_footer()));
    }
    return text + std::string(kEnd);
}

}  // namespace joinleaf::app
