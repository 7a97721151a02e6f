/*
 * QTest for the AMD IOMMU (host-grade): what the IVRS says of it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The tables are taken from where firmware takes them. Checksums are not in
 * yet, so nothing here looks at them.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "libqtest.h"
#include "libqos/qos-amd-iommu.h"

#define EXPECTED                "tests/data/acpi/x86/q35/IVRS.ivrs"
#define CHECKSUM                9
#define FIRST_BLOCK             48
#define REG_EFR                 0x30
#define REG_EFR2                0x1a0

/* A command line of today gets the table of today */
static void test_default(void)
{
    QTestState *qts = qtest_init("-M q35 -net none -device amd-iommu");
    g_autofree char *expected = NULL;
    g_autofree uint8_t *ivrs = NULL;
    uint32_t len;
    gsize want;

    g_assert_true(g_file_get_contents(EXPECTED, &expected, &want, NULL));
    ivrs = qamd_read_ivrs(qts, &len);
    ivrs[CHECKSUM] = 0;
    expected[CHECKSUM] = 0;
    g_assert_cmpmem(ivrs, len, expected, want);
    qtest_quit(qts);
}

/* Software may trust either the table or the registers */
static void test_features(const void *props)
{
    QAMDIOMMU *q = qamd_start(props, "");
    unsigned at, blocks = 0;
    g_autofree uint8_t *ivrs = NULL;
    uint32_t len;

    ivrs = qamd_read_ivrs(q->qts, &len);
    for (at = FIRST_BLOCK; at < len; at += lduw_le_p(ivrs + at + 2)) {
        g_assert_cmpuint(lduw_le_p(ivrs + at + 2), >, 0);
        if (ivrs[at] == 0x10) {
            continue;
        }
        g_assert_cmphex(ldq_le_p(ivrs + at + 24), ==, qamd_reg(q, REG_EFR));
        g_assert_cmphex(ldq_le_p(ivrs + at + 32), ==, qamd_reg(q, REG_EFR2));
        blocks++;
    }
    /* Types 11h and 40h */
    g_assert_cmpuint(blocks, ==, 2);
    qamd_stop(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("amd-iommu") ||
        !qtest_has_device("iommu-testdev")) {
        return g_test_run();
    }

    qtest_add_func("/iommu-testdev/amd-acpi/default", test_default);
    qtest_add_data_func("/iommu-testdev/amd-acpi/host-grade", "",
                        test_features);
    qtest_add_data_func("/iommu-testdev/amd-acpi/all-features",
                        ",xtsup=on,giosup=on,gcr3trpmode=on,gats=1,glxsup=1,"
                        "pasmax=15,ephsup=on,hadsup=on,gamsup=1",
                        test_features);
    qtest_add_data_func("/iommu-testdev/amd-acpi/few-features",
                        ",gt=off,ppr=off,ga=off,hats=0", test_features);
    return g_test_run();
}
